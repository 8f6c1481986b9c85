"""Numbers from codes, labels and images: pure functions on arrays that know no model and no tracking."""
