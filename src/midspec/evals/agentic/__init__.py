"""Agentic misalignment (paper, section 4): 27 cells, strict verdicts, rates with bounds for what could not be judged."""
