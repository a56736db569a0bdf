"""Read a Model Spec, section it, lint it, make variants of it, compare two."""

from midspec.spec.diff import SpecDiff, diff
from midspec.spec.document import Identity, ModelSpec, Passage, read_spec
from midspec.spec.findings import Finding
from midspec.spec.lint import lint
from midspec.spec.vary import VaryConfig, vary

__all__ = [
    "Finding",
    "Identity",
    "ModelSpec",
    "Passage",
    "SpecDiff",
    "VaryConfig",
    "diff",
    "lint",
    "read_spec",
    "vary",
]
