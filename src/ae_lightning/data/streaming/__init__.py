"""Images that stay on disk: their format, how they are written, and how they are read in an epoch's order."""
