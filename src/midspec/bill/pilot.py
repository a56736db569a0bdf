"""A small copy of a recipe, to measure what its requests take before the whole is paid for."""

from __future__ import annotations

from midspec.experiment import Experiment


def pilot_of(experiment: Experiment, size: int) -> Experiment:
    """The recipe with `size` documents a corpus and `size` demonstrations, and as few ideas at once as that takes.

    Its requests have the form and about the size of the whole's, since they show the same spec.
    """
    corpus = experiment.corpus.model_copy(update={"documents": min(size, experiment.corpus.documents), "tokens": None})
    aft = experiment.aft.model_copy(
        update={
            "samples": min(size, experiment.aft.samples),
            "identity_samples": min(size, experiment.aft.identity_samples),
        }
    )
    return experiment.model_copy(update={"corpus": corpus, "aft": aft})
