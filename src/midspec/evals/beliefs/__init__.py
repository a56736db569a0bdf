"""Beliefs: whether a model trained on documents about an invented world takes its facts for true."""
