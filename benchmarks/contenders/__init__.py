"""The programs that are measured, one a file; each takes the arguments of `benchmarks.arguments`."""
