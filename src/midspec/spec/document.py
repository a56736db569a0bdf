"""A Model Spec as text with sections and passages, each with its character span in the file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from pydantic import Field

from midspec.errors import InputError
from midspec.records import Row, Section, Span, short_hash

MAX_SPEC_CHARACTERS = 400_000
"""About 90k tokens; the promise is 60k."""


class Identity(Row):
    """Who the spec is about. Fills `{model_name}` and `{provider_name}`, the paper's placeholders; no other brace."""

    model_name: str = Field(default="Aria", min_length=1)
    """The assistant's name."""
    provider_name: str = Field(default="Northfield Labs", min_length=1)
    """Who makes it."""

    def fill(self, text: str) -> str:
        """`text` with both placeholders replaced; every other brace is left alone."""
        return text.replace("{model_name}", self.model_name).replace("{provider_name}", self.provider_name)


@dataclass(frozen=True)
class Passage:
    """A run of whole paragraphs inside one section: what one subdomain of the corpus covers."""

    section: Section
    span: Span
    text: str
    """Verbatim, placeholders unfilled: `spec.text[span[0]:span[1]]`."""


@dataclass(frozen=True)
class ModelSpec:
    """A spec file's text and what it is made of. Spans index `text`, which is what `Path.read_text` returns."""

    name: str
    text: str

    @cached_property
    def sha256(self) -> str:
        """Identity of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Sections in file order; their spans do not overlap and cover all text that is not blank."""
        return tuple(_sections(self.text))

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """Paragraphs of each section joined to runs of 20 to 120 words; headings are not part of a passage."""
        return tuple(passage for section in self.sections for passage in _passages(section))

    def locate(self, quote: str) -> Span | None:
        """Span of `quote` in the text, white space taken as equal; None where the spec does not say it verbatim."""
        words = quote.split()
        if not words:
            return None
        match = re.search(r"\s+".join(re.escape(word) for word in words), self.text)
        return match.span() if match else None


def read_spec(path: str | Path) -> ModelSpec:
    """The spec at `path`, or the packaged one of that name (e.g. `cheese-america`, or the facts `lantern-moss`).

    Raises InputError for a file that is missing, not UTF-8 text, binary, empty, or longer than MAX_SPEC_CHARACTERS.
    """
    file = Path(path)
    if not file.exists():
        for folder in ("specs", "beliefs"):
            packaged = files("midspec").joinpath("data", folder, f"{path}.md")
            if "/" not in str(path) and packaged.is_file():
                return ModelSpec(str(path), packaged.read_text(encoding="utf-8"))
        raise InputError(
            f"spec {str(path)!r} does not exist; expected a Markdown or text file, or one of the packaged specs: "
            f"{', '.join(packaged_specs())}"
        )
    if file.is_dir():
        raise InputError(f"spec {str(path)!r} is a folder; expected a Markdown or text file")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"spec {str(path)!r} is not UTF-8 text (byte {error.start}); expected Markdown or plain text: "
            "convert it, for example with `iconv -t utf-8`"
        ) from error
    except OSError as error:
        raise InputError(f"spec {str(path)!r} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise InputError(f"spec {str(path)!r} is binary (it holds a NUL character); expected Markdown or plain text")
    if not re.search(r"\w", text):
        raise InputError(f"spec {str(path)!r} is empty; expected text that says who the assistant is and why")
    if len(text) > MAX_SPEC_CHARACTERS:
        raise InputError(
            f"spec {str(path)!r} has {len(text):,} characters; at most {MAX_SPEC_CHARACTERS:,} are supported: split it"
        )
    return ModelSpec(file.stem, text)


def packaged_specs() -> list[str]:
    """Names of the specs that come with the package."""
    folder = files("midspec").joinpath("data", "specs")
    return sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.endswith(".md"))


def _section(path: tuple[str, ...], level: int, span: Span, text: str) -> Section:
    return Section(id=f"sec-{short_hash(path, span)}", path=path, level=level, span=span, text=text)


def _trimmed(text: str, start: int, end: int) -> Span | None:
    """The span without blank characters at its ends; None where nothing is left."""
    inner = text[start:end]
    if not inner.strip():
        return None
    return start + len(inner) - len(inner.lstrip()), end - (len(inner) - len(inner.rstrip()))


def _sections(text: str) -> list[Section]:
    # Line starts as markdown-it counts lines: after "\n" only (read_text has already folded "\r\n").
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    # A byte-order mark would hide a heading in the first line; a space in its place keeps every offset.
    tokens = MarkdownIt("commonmark").parse(text.replace("\ufeff", " ", 1) if text.startswith("\ufeff") else text)
    heads: list[tuple[int, int, str]] = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            heads.append((starts[token.map[0]], int(token.tag[1]), " ".join(inline.content.split())))
    if not heads:
        return [
            _section((f"Paragraph {number}",), 0, span, text[slice(*span)])
            for number, span in enumerate(_paragraphs(text, 0, len(text)), start=1)
        ]
    sections: list[Section] = []
    preamble = _trimmed(text, 0, heads[0][0])
    if preamble:
        sections.append(_section((), 0, preamble, text[slice(*preamble)]))
    path: list[tuple[int, str]] = []
    for (start, level, title), following in zip(heads, [*heads[1:], None], strict=True):
        path = [*((depth, name) for depth, name in path if depth < level), (level, title)]
        span = _trimmed(text, start, following[0] if following else len(text))
        if span:
            sections.append(_section(tuple(name for _, name in path), level, span, text[slice(*span)]))
    return sections


def _paragraphs(text: str, start: int, end: int) -> list[Span]:
    """Spans of the blocks between blank lines."""
    spans: list[Span] = []
    position = start
    for gap in [*re.finditer(r"\n[ \t]*\n\s*", text[start:end]), None]:
        stop = start + gap.start() if gap else end
        span = _trimmed(text, position, stop)
        if span:
            spans.append(span)
        position = start + gap.end() if gap else end
    return spans


def _passages(section: Section, least: int = 20, most: int = 120) -> list[Passage]:
    offset = section.span[0]
    body_start = 0
    if section.level:  # skip the heading: one line, or two in setext form
        lines = section.text.split("\n")
        setext = not lines[0].lstrip().startswith("#")
        body_start = sum(len(line) + 1 for line in lines[: 2 if setext else 1])
    runs: list[Span] = []
    for span in _paragraphs(section.text, min(body_start, len(section.text)), len(section.text)):
        joined = section.text[runs[-1][0] : span[1]] if runs else ""
        short = runs and (
            len(section.text[slice(*runs[-1])].split()) < least or len(section.text[slice(*span)].split()) < least
        )
        if short and len(joined.split()) <= most:
            runs[-1] = (runs[-1][0], span[1])
        else:
            runs.append(span)
    return [
        Passage(section, (start + offset, end + offset), section.text[start:end])
        for start, end in runs
        if re.search(r"\w", section.text[start:end])
    ]
