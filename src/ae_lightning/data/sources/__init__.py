"""Sources of samples: one a file, found by scanning this folder."""
