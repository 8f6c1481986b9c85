"""What draws codes to decode after training: one a file, found by scanning this folder or by a dotted path."""
