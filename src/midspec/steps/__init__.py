"""Steps, their fingerprints, the store they live in and the engine that runs them."""

from midspec.steps.step import Context, Step
from midspec.steps.store import Store

__all__ = ["Context", "Step", "Store"]
