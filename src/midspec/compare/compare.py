"""A run beside a reference: a row for each published number the run could have, and what stands in the way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from midspec.compare import numbers
from midspec.compare.arms import (
    OurArm,
    Pair,
    arms_of,
    asked_of,
    evals_like,
    matching,
    of_model,
    pairs,
    same_model,
    unfilled,
    without_size,
)  # fmt: skip
from midspec.compare.deviations import Deviation, deviations
from midspec.compare.entries import Entry, Kind, entries
from midspec.compare.facts import Known
from midspec.compare.numbers import EFFICIENCY, REASONING, Number
from midspec.compare.reference import Figure, Reference, Remark
from midspec.compare.verdict import VERDICTS, Judged, Verdict, judge
from midspec.errors import InputError
from midspec.report.results import Results


@dataclass(frozen=True, kw_only=True)
class Row:
    """One published number beside ours."""

    entry: Entry
    eval: str
    """Ours; the reference's first name for it where the run has none."""
    arm: str
    """Ours; the reference's first name where the run has none."""
    versus: str | None
    model: str
    """That ours was trained from; the reference's where there is none."""
    ours: Number | None
    judged: Judged
    deviations: tuple[Deviation, ...]
    remarks: tuple[str, ...]
    """Ids in `Comparison.remarks`."""

    @property
    def kind(self) -> Kind:
        """`effect`: a difference of two arms."""
        return self.entry.kind

    @property
    def condition(self) -> str:
        """What was measured, in words."""
        apart = f" \N{MINUS SIGN} {self.versus}" if self.versus else ""
        return f"{self.arm}{apart}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything `midspec compare` shows."""

    run: str
    reference: Reference
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...]
    deviations: dict[Deviation, str]
    """What is otherwise -> its id (`D1`): what voids a comparison first, what the reference does not say last."""
    remarks: dict[str, Remark]
    """Those that concern a figure of the run, by id; tensions first."""
    notes: tuple[str, ...] = ()
    """What must be known of the run as a whole, e.g. that it is not finished."""
    tallies: dict[Kind, dict[Verdict, int]] = field(init=False)

    def __post_init__(self) -> None:
        counts: dict[Kind, dict[Verdict, int]] = {
            kind: {one: sum(row.kind == kind and row.judged.verdict == one for row in self.rows) for one in VERDICTS}
            for kind in ("effect", "level")
        }
        object.__setattr__(self, "tallies", counts)

    @property
    def warnings(self) -> list[str]:
        """What makes conformance meaningless, loudest first; empty where rows can speak."""
        void = [one for one in self.deviations if one.voids]
        if not void or any(row.judged.verdict in ("agrees", "differs", "undecided") for row in self.rows):
            return []
        reasons = dict.fromkeys(f"{one.words}: {one.ours}, not {one.theirs}" for one in void)
        return [
            "NO CONFORMANCE IS MEANT: this run cannot repeat these figures, whatever its numbers are.",
            *(f"{reason}." for reason in reasons),
        ]

    def rows_of(self, figure: Figure, kind: Kind) -> list[Row]:
        """In the order of the reference."""
        return [row for row in self.rows if row.entry.figure.id == figure.id and row.kind == kind]


def compare(
    results: Results, reference: Reference, *, recipe: str | None = None, notes: Sequence[str] = ()
) -> Comparison:
    """Each number of the reference's figures about the run beside the run's own.

    `recipe`: the name to find figures by; None = the run's own. Raises InputError where the reference has none.
    """
    name = recipe or results.name
    figures = reference.about(name)
    if not figures:
        known = dict.fromkeys(one for figure in reference.figures for one in figure.recipes if one != "*")
        raise InputError(
            f"reference {reference.name!r} has no figure about a recipe {name!r}; it has figures about "
            f"{', '.join(known)}. If the run repeats one of these, say so with --as NAME"
        )
    builder = _Builder(results, reference, name)
    rows = [row for figure in figures for row in builder.rows(figure)]
    # A figure of any recipe (controls, doses) is only shown where the run has something of it.
    own = {figure.id for figure in figures if figure.recipes != ("*",)}
    rows = [row for row in rows if row.entry.figure.id in own or row.ours is not None]
    shown = tuple(figure for figure in figures if any(row.entry.figure.id == figure.id for row in rows))
    order = {setting.key: place for place, setting in reversed(list(enumerate(reference.settings)))}
    otherwise = sorted(
        dict.fromkeys(one for row in rows for one in row.deviations),
        key=lambda one: (not one.voids, one.unstated, order[one.key]),
    )
    return Comparison(
        run=results.name,
        reference=reference,
        figures=shown,
        rows=tuple(rows),
        deviations={one: f"D{number}" for number, one in enumerate(otherwise, 1)},
        remarks=builder.remarks_for(shown),
        notes=tuple(notes),
    )


class _Builder:
    """Rows of one run; numbers the deviations as they are met."""

    def __init__(self, results: Results, reference: Reference, recipe: str) -> None:
        self._results, self._reference, self._recipe = results, reference, recipe
        self._known = Known(results)
        self._arms = arms_of(results)
        self._asked = asked_of(results)
        self._by_name = {arm.name: arm for arm in self._arms}
        self._told: dict[tuple[str, str], list[Deviation]] = {}

    def remarks_for(self, figures: Sequence[Figure]) -> dict[str, Remark]:
        ids = {figure.id for figure in figures}
        found = [one for one in self._reference.remarks if "*" in one.figures or ids & set(one.figures)]
        return {one.id: one for one in sorted(found, key=lambda one: one.kind != "tension")}

    def rows(self, figure: Figure) -> Iterator[Row]:
        models = [entry.model for entry in entries(figure) if entry.model]
        for entry in entries(figure):
            arms = of_model(self._arms, entry.model, models)
            found = [(pair, name) for pair in self._pairs(entry, arms) for name in self._evals(entry, pair)]
            if not found:
                yield self._missing(entry, arms)
            for pair, evaluation in found:
                yield self._row(entry, pair, evaluation)

    def _pairs(self, entry: Entry, arms: Sequence[OurArm]) -> list[Pair]:
        if entry.measure != EFFICIENCY:
            return pairs(arms, entry.arm, entry.versus)
        # Curves over sizes: the claim that is made about two of them names two of their arms.
        claimed = [(one.arm, one.versus) for one in self._results.claims if one.kind == EFFICIENCY]
        sized = without_size(arms)
        alike = [
            {arm.name for name in names for arm, _ in matching(sized, name)}
            for names in (entry.arm, entry.versus or ())
        ]
        return [Pair(arm, versus, {}) for arm, versus in claimed if arm in alike[0] and versus in alike[1]]

    def _evals(self, entry: Entry, pair: Pair) -> list[str]:
        return [REASONING] if entry.evals == (REASONING,) else evals_like(self._asked, entry.evals, pair.holes)

    def _missing(self, entry: Entry, arms: Sequence[OurArm]) -> Row:
        wanted = [unfilled(name) for name in entry.evals]
        asked = [REASONING] if entry.evals == (REASONING,) else evals_like(self._asked, wanted, {})
        reason = _no_arm(entry, arms) if asked else f"the run does not ask {' or '.join(wanted)}"
        return Row(
            entry=entry,
            eval=asked[0] if asked else wanted[0],
            arm=entry.arm[0],
            versus=entry.versus[0] if entry.versus else None,
            model=entry.model or "",
            ours=None,
            judged=Judged("not measured", None, None, reason),
            deviations=(),
            remarks=self._remarks(entry, entry.arm[0]),
        )

    def _row(self, entry: Entry, pair: Pair, evaluation: str) -> Row:
        ours = self._number(entry, pair, evaluation)
        otherwise = self._deviations(pair, evaluation, entry.kind)
        void = "; ".join(dict.fromkeys(one.words for one in otherwise if one.voids))
        judged = judge(entry.published, ours, effect=entry.kind == "effect", void=void)
        if judged.verdict == "not measured" and not judged.reason:
            judged = judged._replace(reason=f"{evaluation} has no {entry.measure or 'value'} for it yet")
        return Row(
            entry=entry, eval=evaluation, arm=pair.arm, versus=pair.versus, model=self._by_name[pair.arm].model,
            ours=ours, judged=judged, deviations=tuple(otherwise),
            remarks=self._remarks(entry, pair.arm),
        )  # fmt: skip

    def _number(self, entry: Entry, pair: Pair, evaluation: str) -> Number | None:
        of = (evaluation, entry.measure, entry.part)
        if pair.versus is None:
            return numbers.level(self._results, pair.arm, *of)
        if entry.measure == EFFICIENCY:
            return numbers.efficiency(self._results, pair.arm, pair.versus)
        return numbers.difference(self._results, pair.arm, pair.versus, *of)

    def _deviations(self, pair: Pair, evaluation: str, kind: Kind) -> list[Deviation]:
        found: dict[Deviation, None] = {}
        for name in (pair.arm, pair.versus):
            if name is not None:
                found.update(dict.fromkeys(self._deviations_of(name, evaluation)))
        return [one for one in found if kind == "level" or not one.levels_only]

    def _deviations_of(self, arm: str, evaluation: str) -> list[Deviation]:
        if (arm, evaluation) not in self._told:
            facts = self._known.of(self._by_name[arm], evaluation)
            self._told[arm, evaluation] = deviations(self._reference.settings, self._recipe, facts)
        return self._told[arm, evaluation]

    def _remarks(self, entry: Entry, arm: str) -> tuple[str, ...]:
        own: OurArm | None = self._by_name.get(arm)
        names = {arm, *entry.arm, *(own.names if own else ())}
        return tuple(
            one.id
            for one in self._reference.remarks
            if entry.figure.id in one.figures
            and any(fnmatchcase(name, pattern) for name in names for pattern in one.arms)
            and (one.model is None or entry.model is None or same_model(one.model, entry.model))
        )


def _no_arm(entry: Entry, arms: Sequence[OurArm]) -> str:
    """Why the run has nothing for an entry, of the arms that it could be about."""
    if not arms:
        return f"the run has no arm of {entry.model}"
    if entry.measure == EFFICIENCY:
        return f"the run claims no efficiency of {entry.arm[0]}, or it is not judged yet"
    of = f" of {entry.model}" if entry.model else ""
    return f"the run has no arm {entry.arm[0]}{f' and {entry.versus[0]}' if entry.versus else ''}{of}"
