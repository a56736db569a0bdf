"""What Inspect finds through the entry point `inspect_ai`. Loads no torch, so that other evaluations start as fast."""

from __future__ import annotations

from inspect_ai.model import ModelAPI, modelapi

from midspec.evals.agentic.task import agentic
from midspec.evals.beliefs.task import beliefs
from midspec.evals.capability.task import capability
from midspec.evals.knowledge.task import knowledge
from midspec.evals.open_qa.task import open_qa
from midspec.evals.tasks import opinions, plain, preferences, traits


@modelapi(name="midspec")
def midspec() -> type[ModelAPI]:
    """Provider `midspec/<model>`; see `midspec.evals.provider`. Raises MissingDependencyError without torch."""
    from midspec.errors import MissingDependencyError

    try:
        from midspec.evals.provider import MidspecAPI
    except ImportError as error:
        raise MissingDependencyError(
            f"models midspec/... need the package {error.name!r}: pip install 'midspec[train,eval]'"
        ) from error
    return MidspecAPI


__all__ = [
    "agentic",
    "beliefs",
    "capability",
    "knowledge",
    "midspec",
    "open_qa",
    "opinions",
    "plain",
    "preferences",
    "traits",
]
