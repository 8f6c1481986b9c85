"""Samples on disk, as plain `.npy` files: how they are written, kept, fetched, and read in an epoch's order."""
