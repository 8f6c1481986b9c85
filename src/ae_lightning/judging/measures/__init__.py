"""Measures: one a file, found by scanning this folder and never listed by hand."""
