"""A tree of image files: what its folders are, and how its files become samples of one size."""
