"""Arrays in memory or in files: which of them are samples, labels and factors."""
