"""Intervals and paired differences. Pure functions: no disk, no network."""
