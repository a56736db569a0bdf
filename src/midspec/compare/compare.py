"""A run beside a reference: a row for each published number that the run could have, and what stands in the way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from midspec.compare import numbers
from midspec.compare.arms import (
    OurArm, Pair, arms_of, asked_of, evals_like, matching, of_model, pairs, same_model, without_size,
)  # fmt: skip
from midspec.compare.deviations import Deviation, deviations
from midspec.compare.facts import Known
from midspec.compare.numbers import EFFICIENCY, REASONING, Number
from midspec.compare.reference import Certainty, Figure, Reference, Remark, Scale, Value
from midspec.compare.verdict import VERDICTS, Judged, Published, Verdict, judge, sampling
from midspec.errors import InputError
from midspec.report.results import Results

Kind = Literal["effect", "level"]


class Entry(NamedTuple):
    """One published number with its whole condition: the figure's defaults filled in."""

    figure: Figure
    kind: Kind
    arm: tuple[str, ...]
    versus: tuple[str, ...] | None
    evals: tuple[str, ...]
    measure: str | None
    part: str | None
    model: str | None
    n: int | None
    certainty: Certainty
    source: str
    note: str
    published: Published

    @property
    def measured(self) -> tuple[object, ...]:
        """All of the condition but the arm."""
        return self.evals, self.measure, self.part, self.model


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
    deviations: tuple[str, ...]
    """Ids in `Comparison.deviations`."""
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
    deviations: dict[str, Deviation]
    """Id (`D1`) -> what is otherwise, those that void a comparison first."""
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
        void = [one for one in self.deviations.values() if one.voids]
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


def compare(results: Results, reference: Reference, *, recipe: str | None = None, notes: Sequence[str] = ()) -> Comparison:
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
    return Comparison(
        run=results.name, reference=reference, figures=shown, rows=tuple(rows),
        deviations=builder.deviations, remarks=builder.remarks_for(shown), notes=tuple(notes),
    )  # fmt: skip


class _Builder:
    """Rows of one run; numbers the deviations as they are met."""

    def __init__(self, results: Results, reference: Reference, recipe: str) -> None:
        self._results, self._reference, self._recipe = results, reference, recipe
        self._known = Known(results)
        self._arms = arms_of(results)
        self._asked = asked_of(results)
        self._by_name = {arm.name: arm for arm in self._arms}
        self._ids: dict[Deviation, str] = {}

    @property
    def deviations(self) -> dict[str, Deviation]:
        return {name: one for one, name in sorted(self._ids.items(), key=lambda pair: not pair[0].voids)}

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
                yield self._missing(entry)
            for pair, evaluation in found:
                yield self._row(entry, pair, evaluation)

    def _pairs(self, entry: Entry, arms: Sequence[OurArm]) -> list[Pair]:
        if entry.measure != EFFICIENCY:
            return pairs(arms, entry.arm, entry.versus)
        # Curves over sizes: the claim that is made about two of them names two of their arms.
        claimed = [(one.arm, one.versus) for one in self._results.claims if one.kind == EFFICIENCY]
        sized = without_size(arms)
        alike = [{arm.name for name in names for arm, _ in matching(sized, name)} for names in (entry.arm, entry.versus or ())]
        return [Pair(arm, versus, {}) for arm, versus in claimed if arm in alike[0] and versus in alike[1]]

    def _evals(self, entry: Entry, pair: Pair) -> list[str]:
        return [REASONING] if entry.evals == (REASONING,) else evals_like(self._asked, entry.evals, pair.holes)

    def _missing(self, entry: Entry) -> Row:
        asked = [REASONING] if entry.evals == (REASONING,) else evals_like(self._asked, entry.evals, {})
        reason = self._arms_words(entry) if asked else f"the run does not ask {' or '.join(entry.evals)}"
        return Row(
            entry=entry, eval=asked[0] if asked else entry.evals[0], arm=entry.arm[0],
            versus=entry.versus[0] if entry.versus else None, model=entry.model or "", ours=None,
            judged=Judged("not measured", None, None, reason), deviations=(), remarks=self._remarks(entry, entry.arm[0]),
        )  # fmt: skip

    def _arms_words(self, entry: Entry) -> str:
        if entry.model and not of_model(self._arms, entry.model, [entry.model]):
            return f"the run has no arm of {entry.model}"
        both = f" and {entry.versus[0]}" if entry.versus else ""
        return f"the run has no arm {entry.arm[0]}{both}"

    def _row(self, entry: Entry, pair: Pair, evaluation: str) -> Row:
        ours = self._number(entry, pair, evaluation)
        otherwise = self._deviations(pair, evaluation, entry.kind)
        void = "; ".join(dict.fromkeys(one.words for one in otherwise if one.voids))
        judged = judge(entry.published, ours, effect=entry.kind == "effect", void=void)
        if judged.verdict == "not measured" and not judged.reason:
            judged = judged._replace(reason=f"{evaluation} has no {entry.measure or 'value'} for it yet")
        return Row(
            entry=entry, eval=evaluation, arm=pair.arm, versus=pair.versus, model=self._by_name[pair.arm].model,
            ours=ours, judged=judged, deviations=tuple(self._ids[one] for one in otherwise) if ours else (),
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
        arms = [self._by_name[name] for name in (pair.arm, pair.versus) if name is not None]
        found: dict[Deviation, None] = {}
        for arm in arms:
            for one in deviations(self._reference.settings, self._recipe, self._known.of(arm, evaluation)):
                if kind == "level" or not one.levels_only:
                    found[one] = None
        for one in found:
            self._ids.setdefault(one, f"D{len(self._ids) + 1}")
        return list(found)

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


def entries(figure: Figure) -> list[Entry]:
    """Effects first, then levels; effects without a number of their own worked out from the levels."""
    levels = [_entry(figure, value, "level") for value in figure.values if _has_number(value)]
    effects: list[Entry] = []
    for value in figure.effects:
        if _has_number(value):
            effects.append(_entry(figure, value, "effect"))
        else:
            effects += _worked_out(figure, value, levels)
    return [*effects, *levels]


def _has_number(value: Value) -> bool:
    return value.value is not None or value.range is not None or value.direction is not None


def _entry(figure: Figure, value: Value, kind: Kind) -> Entry:
    def told(name: str, default: Any = None) -> Any:
        own = getattr(value, name)
        given = own if own is not None else getattr(figure, name)
        return default if given is None else given

    scale: Scale = told("scale", "share")
    n: int | None = told("n")
    half = sampling(value.value, n, scale) if value.value is not None and kind == "level" else 0.0
    below = above = half
    if value.value is not None and value.low is not None and value.high is not None:
        below, above = value.value - value.low, value.high - value.value
    digit: float = told("digit", 1.0 if scale == "times" else 0.0)
    return Entry(
        figure, kind, value.arm, value.versus, told("eval", ("*",)), told("measure"), told("part"),
        told("model"), n, told("certainty", "exact"), told("source", figure.title), value.note,
        Published(value.value, value.range, value.direction, scale, digit, below, above),
    )  # fmt: skip


def _worked_out(figure: Figure, effect: Value, levels: Sequence[Entry]) -> list[Entry]:
    """One for each condition (evaluation, measure, part, model) in which the figure has both arms."""
    wanted = _entry(figure, effect, "effect")
    found: list[Entry] = []
    for mine in levels:
        for theirs in levels:
            alike = mine.measured == theirs.measured
            fits = (effect.model is None or mine.model == effect.model) and (
                effect.eval is None or mine.evals == tuple(effect.eval)
            )
            if not (alike and fits and mine.arm == wanted.arm and theirs.arm == wanted.versus):
                continue
            if mine.published.value is None or theirs.published.value is None:
                continue
            found.append(mine._replace(kind="effect", versus=theirs.arm, note=effect.note, published=_minus(mine, theirs)))
    return found


def _minus(mine: Entry, theirs: Entry) -> Published:
    one, other = mine.published, theirs.published
    assert one.value is not None
    assert other.value is not None
    return Published(
        one.value - other.value, None, None, one.scale, one.digit + other.digit,
        (one.below**2 + other.above**2) ** 0.5, (one.above**2 + other.below**2) ** 0.5,
    )  # fmt: skip
