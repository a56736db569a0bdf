"""An arm's training for other trainers: same sequences, order and settings; parent adapters are gone on with."""
