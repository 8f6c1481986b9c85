"""Callbacks: when to evaluate, what to keep, and where to send it."""
