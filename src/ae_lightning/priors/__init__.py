"""Distributions that codes are asked to follow: one a file, found by scanning this folder or by a dotted path."""
