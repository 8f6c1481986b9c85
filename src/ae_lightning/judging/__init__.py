"""Numbers and pictures from codes, labels and images, which know no trainer and no tracking."""
