"""The card of a data set, made from the records alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined, Template

from midspec import __version__
from midspec.corpus.gate_report import GateReport
from midspec.records import short_hash
from midspec.steps.record import StepRecord

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_FIELDS = {
    "id": "identity of the row, a hash of what it was made from",
    "text": "the document",
    "spec": "SHA-256 of the spec",
    "section": "headings of the section that the document teaches",
    "section_id": "id of that section",
    "span": "characters of the spec that it teaches: first, and one past the last",
    "domain": "field of the assistant's character, or of conversation",
    "subdomain": "what of that field",
    "assertions": "ids of the statements that it was asked to convey",
    "doc_type": "type of document",
    "idea": "what the writer was asked to write",
    "writer": "who wrote it: `offline` is a program without a language model",
    "seed": "sample seed",
    "style": "whether conduct is explained by values, rules, in another language or of others; or facts of a world",
    "critiqued": "whether it was criticised and rewritten once",
    "messages": "turns of the chat: role, content, and the reasoning before an answer",
    "source": "where the chat is from",
    "kind": "form of the question",
    "about": "ids of the preferences or sections that it demonstrates",
}


@dataclass(frozen=True)
class Card:
    """What a card is made from."""

    title: str
    licence: str
    repository: str
    """Name on the Hub, for the lines that load it."""
    rows: Mapping[str, int]
    """Configuration -> rows."""
    columns: Mapping[str, tuple[str, ...]]
    record: StepRecord | None
    gate: GateReport | None


def render(card: Card) -> str:
    """The card as Markdown with a YAML head."""
    total = sum(card.rows.values())
    head = {
        "license": card.licence,
        "pretty_name": card.title,
        "size_categories": [next((name for limit, name in _SIZES if total < limit), "n>1M")],
        "tags": ["synthetic", "midspec", "model-spec-midtraining"],
        "configs": [
            {"config_name": config, "data_files": [{"split": "train", "path": f"data/{config}-*.parquet"}]}
            for config in card.rows
        ],
    }
    record = card.record
    config: dict[str, Any] = record.config if record else {}
    columns = list(dict.fromkeys(name for names in card.columns.values() for name in names))
    return _template().render(
        head=yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip(),
        card=card,
        config=config,
        record=record,
        summary=record.summary if record else {},
        writer=config.get("writer") or {},
        judge=config.get("judge") or {},
        identity=config.get("identity") or {},
        spec_hash=short_hash(config["spec_text"]) if config.get("spec_text") else None,
        fields=[(name, _FIELDS.get(name, "")) for name in columns],
        version=__version__,
    )


@cache
def _template() -> Template:
    source = files("midspec").joinpath("corpus", "card.md.jinja").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["cell"] = _cell
    return environment.from_string(source)


def _cell(value: object) -> str:
    """A value inside a Markdown table: one line, no bars, no tags."""
    text = " ".join(str(value).split())
    return text.replace("|", "\\|").replace("<", "&lt;")
