"""Base models, packing and masks, midtraining, fine-tuning."""

import os

# Read by OpenMP when torch is loaded. By default its threads spin while they wait for each other; where another process
# wants a core too (a laptop, a CI runner), one update of SmolLM2 then took over a minute instead of 13 seconds.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
