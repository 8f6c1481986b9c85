"""Checkpoints on disk: whole or not at all, and read with nothing unpickled."""
