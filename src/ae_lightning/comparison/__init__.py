"""`python -m ae_lightning compare`: many runs side by side in one report."""
