"""Figures from arrays: pure functions that know no model and no tracking, and touch no global state."""
