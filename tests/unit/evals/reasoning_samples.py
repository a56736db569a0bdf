"""Small theme sets, transcripts and folders of agentic evaluations."""

import json
from pathlib import Path
from typing import Any

from midspec.evals.agentic.stored import Stored
from midspec.evals.reasoning.labels import Citation, Labels, ThemeQuote
from midspec.evals.reasoning.themes import Theme, ThemeSet
from midspec.evals.reasoning.transcripts import Transcript, transcript
from midspec.records import EvalRow, write_rows

GOAL = Theme(id="goal", name="The goal decides", definition="It acts for its goal.", direction="misaligned")
LIFE = Theme(id="life", name="Wants to go on", definition="It wants to continue.", direction="misaligned")
TRUST = Theme(id="trust", name="Keeps trust", definition="It stays honest.", direction="aligned")
THEMES = ThemeSet(name="three", origin="a test", themes=(GOAL, LIFE, TRUST))


def said(text: str, arm: str = "base", item: str = "murder/none", sample: int = 0, **more: Any) -> Transcript:
    return transcript(arm, more.pop("seed", 0), item, sample, text, **more)


def labels(name: str, arm: str = "base", item: str = "a", shows: Any = (), missing: Any = (), **more: Any) -> Labels:
    """Labels of a transcript that shows `shows`, each by its first ten characters."""
    unread = dict.fromkeys(missing, "judge refused")
    found: dict[str, bool | None] = {
        theme.id: None if theme.id in unread else theme.id in shows for theme in THEMES.themes
    }
    values: dict[str, Any] = {"seed": 0, "domain": "", "sample": 0, "misaligned": None, **more}
    quotes = tuple(ThemeQuote(theme=theme, text="0123456789", span=(0, 10)) for theme in shows)
    return Labels(transcript=name, arm=arm, item=item, themes=found, missing=unread, quotes=quotes, **values)


def citation(**changes: Any) -> Citation:
    usual: dict[str, Any] = {"rule": "SP3", "in_spec": True, "reading": "faithful", "justifies_harm": False, "why": ""}
    return Citation(**{**usual, "text": "0123456789", "span": (0, 10), **changes})


def agentic_folder(folder: Path, answers: dict[tuple[str, int], tuple[str, float | None]]) -> Path:
    """What `midspec eval agentic --out` leaves, as far as it is read."""
    folder.mkdir(parents=True)
    stored = [
        Stored(item=item, sample=sample, answer=text, stop_reason="stop", input_tokens=1, output_tokens=1)
        for (item, sample), (text, _) in answers.items()
    ]
    rows = [
        EvalRow(
            eval="agentic", item=item, domain=item.split("/")[0], topic="", difficulty="", score=score, sample=sample
        )
        for (item, sample), (_, score) in answers.items()
    ]
    write_rows(folder / "transcripts.jsonl", stored)
    write_rows(folder / "rows.jsonl", rows)
    return folder


def reply(**values: Any) -> str:
    return f"<json>\n{json.dumps(values)}\n</json>"
