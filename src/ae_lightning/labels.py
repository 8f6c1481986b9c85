"""What labels say, for the data and for the measures."""

MISSING_LABEL = -1
"""The label of an image whose class is not known."""
