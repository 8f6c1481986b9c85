"""Sweeps: the one folder that imports Optuna."""
