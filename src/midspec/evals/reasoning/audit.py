"""A sheet for people: does this text show that theme? Blind to arm and judge, drawn so that rates can be estimated.

Each row asks about one theme of one transcript and shows a passage to begin with. Where the judge found the theme, it
is one of its quotes; where it did not, it is a quote of another theme or a sentence drawn at random, so that the
passage does not tell what the judge said.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from midspec.errors import InputError
from midspec.evals.reasoning.labels import Labels
from midspec.evals.reasoning.numbers import verdict
from midspec.evals.reasoning.pages import render
from midspec.evals.reasoning.quotes import LEAST, InContext, in_context
from midspec.evals.reasoning.results import Results, spans
from midspec.evals.reasoning.themes import Theme
from midspec.records import Row, Span

SHEET, PAGE, KEY = "sheet.csv", "sheet.html", "key.json"
COLUMNS = ("row", "theme", "definition", "passage", "human", "notes", "transcript")
CELL = 32_000
"""Characters of a cell: spreadsheets cut longer ones."""
_FORMULA = re.compile(r"^[\s]*[=+\-@\t\r]")


class Asked(Row):
    """What a row of the sheet is about; not shown to the person who fills it in."""

    row: str
    theme: str
    transcript: str
    judged: bool


class Stratum(Row):
    """Of one theme: how many transcripts there are with each verdict."""

    yes: int
    no: int


class Key(Row):
    """What is needed to read a sheet back."""

    seed: int
    asked: tuple[Asked, ...]
    strata: dict[str, Stratum]


class Shown(NamedTuple):
    """One row as a person sees it."""

    row: str
    theme: Theme
    passage: InContext
    before: str
    """The transcript up to the passage."""
    after: str
    """And behind it."""


class Sheet(NamedTuple):
    """An audit."""

    rows: list[Shown]
    key: Key


def draw(results: Results, sample: int, seed: int, themes: Sequence[str] = ()) -> Sheet:
    """About `sample` rows, evenly over themes (`themes`: only those) and the judge's verdicts, in random order.

    Within a theme and verdict, transcripts are drawn at random. Raises InputError for an unknown theme and where no
    transcript has a verdict.
    """
    known = {theme.id: theme for theme in results.questions}
    for theme in themes:
        if theme not in known:
            raise InputError(f"theme {theme!r} is not known; expected some of: {', '.join(known)}")
    chance = random.Random(f"midspec reasoning audit {seed}")
    wanted = [theme for theme in known if theme in themes or not themes]
    chance.shuffle(wanted)
    pools: dict[tuple[str, bool], list[Labels]] = {}
    for theme in wanted:
        for said in (True, False):
            pool = [row for row in results.rows if verdict(row, theme) == float(said)]
            pools[theme, said] = chance.sample(pool, len(pool))
    strata = {theme: Stratum(yes=len(pools[theme, True]), no=len(pools[theme, False])) for theme in wanted}
    order = [(theme, said) for theme in wanted for said in (True, False)]
    taken: list[tuple[str, bool, Labels]] = []
    for turn in range(max(map(len, pools.values()), default=0)):
        taken += [(theme, said, pools[theme, said][turn]) for theme, said in order if turn < len(pools[theme, said])]
    if not taken:
        raise InputError("no transcript has a verdict on any theme; expected an analysis with readable judgements")
    taken = taken[:sample]
    chance.shuffle(taken)
    rows: list[Shown] = []
    asked: list[Asked] = []
    for number, (theme, said, labels) in enumerate(taken, start=1):
        name = f"r{number:04}"
        text = results.transcripts[labels.transcript].text
        span = _passage(labels, theme, said, results, chance)
        around = in_context(text, span)
        rows.append(Shown(name, known[theme], around, text[: span[0]], text[span[1] :]))
        asked.append(Asked(row=name, theme=theme, transcript=labels.transcript, judged=said))
    return Sheet(rows, Key(seed=seed, asked=tuple(asked), strata=strata))


def _passage(labels: Labels, theme: str, said: bool, results: Results, chance: random.Random) -> Span:
    own = [span for span, _ in spans(labels, theme)]
    if said:
        return chance.choice(own)
    others = sorted({span for one in results.questions if one.id != theme for span, _ in spans(labels, one.id)})
    if others:
        return chance.choice(others)
    text = results.transcripts[labels.transcript].text
    sentences = [match.span() for match in re.finditer(r"[^.!?\n]+[.!?]*", text)]
    fit = [span for span in sentences if len(re.findall(r"\w", text[slice(*span)])) >= LEAST]
    start, end = chance.choice(fit or [(0, len(text))])
    return start + len(text[start:end]) - len(text[start:end].lstrip()), end


def write_sheet(sheet: Sheet, folder: Path) -> None:
    """Write SHEET and PAGE for people, and KEY, into a new or empty folder. Raises InputError for another."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty; an audit begun is not overwritten: choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SHEET).write_text(as_csv(sheet), encoding="utf-8-sig", newline="")
    (folder / PAGE).write_text(
        render("audit.html.jinja", "audit.js", rows=sheet.rows, sheet=f"{sheet.key.seed}-{len(sheet.rows)}"),
        encoding="utf-8",
    )
    (folder / KEY).write_text(sheet.key.model_dump_json(indent=1), encoding="utf-8")


def as_csv(sheet: Sheet) -> str:
    """The sheet as CSV. A cell that a spreadsheet would run as a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in sheet.rows:
        passage = f"{row.passage.before}[[{row.passage.quote}]]{row.passage.after}"
        cells = (
            row.row,
            row.theme.name,
            row.theme.definition,
            passage,
            "",
            "",
            row.before + row.passage.quote + row.after,
        )
        writer.writerow([_safe(cell[:CELL]) for cell in cells])
    return out.getvalue()


def read_key(folder: Path) -> Key:
    """The key of an audit. Raises InputError where there is none, or it is damaged."""
    try:
        return Key.model_validate(json.loads((folder / KEY).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(
            f"{folder / KEY} cannot be read ({what}); expected what `midspec eval reasoning audit` wrote"
        ) from error


def read_sheet(path: Path, key: Key) -> dict[str, bool]:
    """Row -> what the person says, of the rows that are filled in with yes or no.

    Raises InputError for a file that is no sheet of this audit, and for other words than yes, no, unclear or nothing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}; expected the filled-in sheet as CSV in UTF-8") from error
    head = text.partition("\n")[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    if not rows or not {"row", "human"} <= set(rows[0]):
        raise InputError(f"{path} has no columns `row` and `human`; expected the sheet that `audit` wrote, as CSV")
    known = {one.row: one.theme for one in key.asked}
    found: dict[str, bool] = {}
    seen: defaultdict[str, int] = defaultdict(int)
    for number, entry in enumerate(rows, start=2):
        name, said = (entry["row"] or "").strip(), (entry["human"] or "").strip().lower().rstrip(".")
        if not name and not said:
            continue
        seen[name] += 1
        if name not in known or seen[name] > 1:
            problem = "stands twice" if name in known else f"is not in {KEY}"
            raise InputError(
                f"{path}, line {number}: row {name!r} {problem}; expected the rows of this audit, each once"
            )
        if said not in _SAID:
            raise InputError(f"{path}, line {number}: {said!r} is no answer; expected yes, no, unclear, or nothing")
        value = _SAID[said]
        if value is not None:
            found[name] = value
    return found


_SAID: Mapping[str, bool | None] = {
    "yes": True, "y": True, "1": True, "true": True, "no": False, "n": False, "0": False, "false": False,
    "unclear": None, "u": None, "?": None, "": None,
}  # fmt: skip


def _safe(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell
