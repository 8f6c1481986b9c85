"""From the command line to a run: its options, its files, its errors, and what each command does."""
