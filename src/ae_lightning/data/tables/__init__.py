"""Vectors in the rows of tables."""
