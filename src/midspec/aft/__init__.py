"""Plan and write the demonstrations for alignment fine-tuning."""
