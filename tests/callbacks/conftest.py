"""Runs that the tests of the callbacks look at."""
