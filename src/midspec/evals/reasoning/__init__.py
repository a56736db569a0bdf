"""Reasoning content: which kinds of reasons transcripts give, per arm, with quotes and intervals (paper, 4.3)."""
