"""A small copy of a recipe, to measure what its requests take before the whole is paid for."""

from __future__ import annotations

from midspec.experiment import AftSet, CorpusEntry, Experiment


def pilot_of(experiment: Experiment, size: int) -> Experiment:
    """The recipe with `size` documents a corpus and `size` demonstrations a set, and as few ideas as that takes.

    Its requests have the form and about the size of the whole's, since they show the same spec.
    """
    corpus = experiment.corpus.model_copy(update={"documents": min(size, experiment.corpus.documents), "tokens": None})
    return experiment.model_copy(
        update={
            "corpus": corpus,
            "corpora": {name: _small_corpus(entry, size) for name, entry in experiment.corpora.items()},
            "aft": {name: _small_set(own, size) for name, own in experiment.aft.items()},
        }
    )


def _small_corpus(entry: CorpusEntry, size: int) -> CorpusEntry:
    if not entry.own_size:
        return entry
    said = entry.model_dump(exclude={"tokens"})
    return CorpusEntry.model_validate({**said, "documents": min(size, said.get("documents", size))})


def _small_set(own: AftSet, size: int) -> AftSet:
    changes = {"samples": min(size, own.samples), "identity_samples": min(size, own.identity_samples)}
    return own.model_copy(update=changes)
