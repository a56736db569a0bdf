"""Open QA (paper, section 4): direct questions, answers graded 1-10 by how they stand to the spec."""
