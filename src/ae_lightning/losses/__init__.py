"""Losses: pure functions on tensors that know no model; each gives one value an image."""
