"""Agentic misalignment (paper, section 4): 27 cells, strict verdicts, bounds for what could not be judged."""
