"""What a reader must know before believing a number, as far as the results themselves tell it."""

from __future__ import annotations

from typing import NamedTuple

from midspec.report.curves import curve_name
from midspec.report.format import count, percent, shorten
from midspec.report.results import Results

FEW_UPDATES = 100
"""Below this, a missing effect may be missing training: independent re-runs got a null result at 31 updates."""

MANY_UNDECIDED = 0.05
"""Share of answers without a choice from which a rate deserves a warning. (ours)"""

MANY_MISSING = 0.02
"""Share of answers without a value from which a reader is warned. (ours)"""

STRONG_POSITION_BIAS = 0.5
"""Share of items decided by the order of naming from which a rate says little about taste. (ours)"""


PROMPT = 80
"""Characters shown of a system prompt. (ours)"""


class Note(NamedTuple):
    """A title of a few words and the sentence behind it."""

    title: str
    text: str


def notes(results: Results) -> list[Note]:
    """Derived from the data, most important first. The run's own `results.notes` come on top of these."""
    found = [
        _beforehand(results),
        _offline(results),
        _seeds(results),
        _updates(results),
        _split(results),
        _told(results),
        _gate(results),
        _health(results),
    ]
    found += [_undecided(results), _position(results), _rules(results), _missing(results)]
    found += [_trainers(results)]
    return [note for note in found if note is not None]


def _beforehand(results: Results) -> Note | None:
    made = results.beforehand
    if made is None:
        return None
    seeds = [str(seed) for seed in made.seeds]
    which = f"Seed{'s' * (len(seeds) > 1)} {_listed(seeds)}: " if seeds else ""
    days = made.first if made.first == made.last else f"{made.first} to {made.last}"
    by = f" by midspec at {_listed(made.commits)}" if made.commits else ""
    return Note(
        "Partly run beforehand",
        f"{which}{count(made.steps)} trainings and evaluations were made elsewhere ({days}{by}) and came as "
        f"the archive {made.archive!r}. The rest was made here. Without the archive (--set published=null) all is.",
    )


def _offline(results: Results) -> Note | None:
    sentences: list[str] = []
    made = [f"the {corpus.spec} corpus" for corpus in results.corpora if corpus.writer == "offline"]
    if made:
        was = "was" if len(made) == 1 else "were"
        sentence = f"{_listed(made)} {was} put together from the spec's own sentences by the offline writer"
        sentences.append(f"{sentence[0].upper()}{sentence[1:]}.")
        sentences.append("These results say nothing about corpora that a language model writes.")
    if results.demonstrations is not None and results.demonstrations.writer == "offline":
        sentences.append("The demonstrations were put together by the offline writer.")
    if not sentences:
        return None
    return Note("Written by a program, not by a language model", " ".join(sentences))


def _seeds(results: Results) -> Note | None:
    trained = [arm for arm in results.arms.values() if arm.parents]
    if not trained or max(len(arm.seeds) for arm in trained) > 1:
        return None
    return Note(
        "One training seed",
        "Each arm was trained once. The intervals cover the choice of evaluation items, not the luck of a training "
        "run: a second seed could move a number by more than its interval.",
    )


def _updates(results: Results) -> Note | None:
    few = [curve for curve in results.curves if curve.updates < FEW_UPDATES]
    if not few:
        return None
    named = _listed([f"{curve_name(curve)} ({count(curve.updates)})" for curve in few[:4]])
    more = f" and {len(few) - 4} more" if len(few) > 4 else ""
    return Note(
        "Few updates",
        f"Fewer than {FEW_UPDATES} optimizer updates: {named}{more}. An effect that is absent here may only be "
        "undertrained.",
    )


def _split(results: Results) -> Note | None:
    by_split: dict[str, list[str]] = {}
    for name, split in results.split.items():
        by_split.setdefault(split, []).append(name)
    meaning = {
        "dev": "the development split, which settings may be tuned on",
        "test": "the test split, to be opened once",
        "all": "development and test items together, so they are not a held-out test",
    }
    if not by_split or set(by_split) == {"test"}:
        return None
    parts = [f"{', '.join(names)}: {meaning.get(split, split)}" for split, names in by_split.items()]
    return Note("Items asked", f"{'; '.join(parts)}.")


def _told(results: Results) -> Note | None:
    told = {name: asked.system for name, asked in results.asked.items() if asked.system is not None}
    if not told:
        return None
    parts = [f"{name} under “{brief(system)}”" for name, system in told.items()]
    return Note(
        "Asked under a system prompt",
        f"{'; '.join(parts)}. Compare arms with these numbers, and none of them with one under another prompt or none.",
    )


def brief(system: str) -> str:
    """A system prompt in one short line."""
    return shorten(" ".join(system.split()), PROMPT)


def _gate(results: Results) -> Note | None:
    items = {finding.item for finding in results.gate.findings}
    if not items:
        return None
    noun = "item was" if len(items) == 1 else "items were"
    return Note(
        "Contaminated items left out",
        f"{count(len(items))} evaluation {noun} found in the training data and left out of every arm's numbers.",
    )


def _health(results: Results) -> Note | None:
    found = {
        one.corpus: [check.name for check in one.checks if check.verdict in ("warn", "fail")] for one in results.health
    }
    alike: dict[tuple[str, ...], list[str]] = {}
    for corpus, checks in found.items():
        if checks:
            alike.setdefault(tuple(checks), []).append(corpus)
    if not alike:
        return None
    parts = [f"{_listed(corpora)} ({', '.join(checks)})" for checks, corpora in alike.items()]
    return Note("Corpora that the gate complains of", f"{'; '.join(parts)}. The figures stand below, under Corpora.")


def _undecided(results: Results) -> Note | None:
    worst = max(
        (
            (score.undecided / score.n, arm, name)
            for arm, form in results.arms.items()
            for name, score in form.evals.items()
            if score.n
        ),
        default=None,
    )
    if worst is None or worst[0] <= MANY_UNDECIDED:
        return None
    return Note(
        "Many undecided answers",
        f"Up to {percent(worst[0])}% of an arm's answers held no choice ({worst[1]} on {worst[2]}). Rates count only "
        "decided answers, so arms with different shares are hard to compare.",
    )


def _position(results: Results) -> Note | None:
    worst = max(
        (
            (score.position_bias, arm, name)
            for arm, form in results.arms.items()
            for name, score in form.evals.items()
            if score.position_bias is not None
        ),
        default=None,
    )
    if worst is None or worst[0] <= STRONG_POSITION_BIAS:
        return None
    return Note(
        "Strong position bias",
        f"Up to {percent(worst[0])}% of an arm's choices follow the order in which the answers are named "
        f"({worst[1]} on {worst[2]}). Asking every pair in both orders balances this; it still blurs the rate.",
    )


def _rules(results: Results) -> Note | None:
    names = [name for name, asked in results.asked.items() if "offline" in asked.graders]
    if not names:
        return None
    return Note(
        "Graded by rules",
        f"No language model read the answers to {_listed(names)}: the offline judge goes by rules, which miss what "
        "they were not written for. Compare arms with these numbers, and take none of them for a level.",
    )


def _trainers(results: Results) -> Note | None:
    if len(results.trainers) < 2:
        return None
    return Note(
        "Not one trainer",
        f"The weights of these arms were made by {len(results.trainers)} versions of the trainer: "
        f"{_listed(list(results.trainers))}. A difference between arms can be one between trainers.",
    )


def _missing(results: Results) -> Note | None:
    worst = max(
        (
            (share, arm, name)
            for arm, form in results.arms.items()
            for name, share in [
                *((name, score.missing / score.n) for name, score in form.evals.items() if score.n),
                *((name, one.missing / one.n) for name, shown in form.measures.items() for one in shown[:1] if one.n),
            ]
        ),
        default=None,
    )
    if worst is None or worst[0] <= MANY_MISSING:
        return None
    return Note(
        "Many missing values",
        f"Up to {percent(worst[0])}% of an arm's answers have no value ({worst[1]} on {worst[2]}). The bounds say how "
        "far that could move a number; a difference smaller than them may be one of judging.",
    )


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
