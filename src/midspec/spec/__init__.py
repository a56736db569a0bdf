"""Read a Model Spec, section it, lint it."""

from midspec.spec.document import Identity, ModelSpec, Passage, read_spec
from midspec.spec.lint import Finding, lint

__all__ = ["Finding", "Identity", "ModelSpec", "Passage", "lint", "read_spec"]
