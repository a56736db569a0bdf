"""Evaluations as Inspect tasks: item and opinion banks, likelihood and generated scoring, contamination gate."""
