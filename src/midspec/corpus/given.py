"""A corpus that exists already, a user's file or a packaged one, as a step that looks like a written one.

What it teaches is found again where a row quotes the spec, so that its documents can be traced like any others.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from midspec.corpus.coverage import coverage
from midspec.corpus.planned import CorpusPlan, PlannedDocument, Subdomain
from midspec.corpus.rename import check_named, renamed_row
from midspec.corpus.tokens import estimated_tokens
from midspec.errors import InputError, StepError
from midspec.experiment import Config
from midspec.records import Document, Section, Span, short_hash, write_rows
from midspec.spec.document import Identity, ModelSpec
from midspec.steps.step import Context, Step

VERSION = 1
NEUTRAL_SPEC = "neutral"
"""Name of the empty spec that a neutral corpus is about."""
GIVEN = "given"
"""Writer of a document that does not say who wrote it."""


class GivenCorpusConfig(Config):
    """What decides a corpus that exists already."""

    spec_text: str
    identity: Identity
    sha256: str
    """Of the file."""
    documents: int
    """Rows of the file, for plans."""
    tokens: int
    """Estimated, for plans."""


class GivenRow(BaseModel):
    """What is read of a row; other keys, such as those of a written `Document`, are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str = Field(pattern=r"\w")
    """Placeholders are filled in."""
    quote: str = ""
    """Words of the spec that the document teaches, verbatim, placeholders unfilled. Empty = the whole spec."""
    spec: str = ""
    """SHA-256 of the spec's text, where `span` counts its characters."""
    span: Span | None = None
    """The passage it teaches, of rows that `midspec corpus build` wrote about the same spec."""
    domain: str = ""
    subdomain: str = ""
    doc_type: str = "document"
    idea: str = ""
    writer: str = GIVEN
    seed: int = 0


def packaged_corpora() -> list[str]:
    """Names of the corpora that come with the package."""
    folder = files("midspec").joinpath("data", "corpora")
    return sorted(entry.name.removesuffix(".jsonl") for entry in folder.iterdir() if entry.name.endswith(".jsonl"))


def corpus_file(name: str) -> Path:
    """The file of that path, or of that packaged name. Raises InputError where there is neither."""
    if Path(name).is_file():
        return Path(name)
    if name in packaged_corpora():
        return Path(str(files("midspec"))) / "data" / "corpora" / f"{name}.jsonl"
    raise InputError(
        f"corpus {name!r} does not exist; expected a JSONL file of documents (a `text` each), or one of the packaged "
        f"corpora: {', '.join(packaged_corpora())}"
    )


class RenamedCorpusConfig(GivenCorpusConfig):
    """What decides a corpus that exists already about another assistant; `identity` is whom it then is about."""

    instead_of: Identity
    """Whom the file names."""


def given_corpus_step(
    name: str, spec: ModelSpec, identity: Identity, corpus: str, instead_of: Identity | None = None
) -> Step:
    """The step that takes over `corpus`, a file or a packaged name, as the corpus of `spec`; `name` is for people.

    `instead_of`: whom the file names, where it is to speak of `identity` in their place. Raises InputError for a file
    that is missing, holds a row that is no document about `spec`, or never names `instead_of`.
    """
    file = corpus_file(corpus)
    content, rows = _read(file, spec)
    config = GivenCorpusConfig(
        spec_text=spec.text,
        identity=identity,
        sha256=hashlib.sha256(content).hexdigest(),
        documents=len(rows),
        tokens=sum(estimated_tokens(row.text) for row, _ in rows),
    )
    if instead_of is not None and instead_of != identity:
        check_named([row.text for row, _ in rows], instead_of)
        config = RenamedCorpusConfig(**dict(config), instead_of=instead_of)
    return Step(
        kind="corpus", name=name, function="midspec.corpus.given:run", config=config, version=VERSION, source=file
    )


def given_neutral_step(name: str, corpus: str) -> Step:
    """The step that takes over `corpus` as a neutral corpus, which is about no spec and nobody.

    Raises InputError for a file that is missing, or holds a row that is no document or quotes a spec.
    """
    return given_corpus_step(name, ModelSpec(NEUTRAL_SPEC, ""), Identity(), corpus)


def run(context: Context) -> dict[str, Any]:
    """Write what a written corpus consists of: `documents.jsonl`, `plan.json`, `spec.md`. Equal texts are taken once.

    The summary has the keys of a written corpus that reports read. Raises StepError where the file has changed since.
    """
    config: GivenCorpusConfig = context.config
    assert context.source is not None
    spec = ModelSpec("spec", config.spec_text)
    content, rows = _read(context.source, spec)
    if hashlib.sha256(content).hexdigest() != config.sha256:
        raise StepError(f"{context.source} has changed since this run was planned; start the run again")
    documents: dict[str, Document] = {}
    subdomains: dict[Span, Subdomain] = {}
    planned: list[PlannedDocument] = []
    for row, span in rows:
        if isinstance(config, RenamedCorpusConfig):
            row = row.model_copy(update=renamed_row(dict(row), config.instead_of, config.identity))
        text = config.identity.fill(row.text)
        if text in documents:
            continue
        part = subdomains.setdefault(span, _subdomain(spec, span, row))
        documents[text] = _document(spec, part, row, text)
        planned.append(PlannedDocument(subdomain=part.id, doc_type=row.doc_type, idea=row.idea))
    write_rows(context.folder / "documents.jsonl", documents.values())
    plan = CorpusPlan(
        spec=spec.sha256, domains=(), subdomains=tuple(subdomains.values()), documents=tuple(planned)
    ).model_dump_json(indent=1)
    (context.folder / "plan.json").write_text(plan + "\n", encoding="utf-8", newline="\n")
    (context.folder / "spec.md").write_text(spec.text, encoding="utf-8", newline="\n")
    repeated = len(rows) - len(documents)
    return {**_summary(list(documents.values()), spec), "rejected": {"repeated": repeated} if repeated else {}}


def _read(file: Path, spec: ModelSpec) -> tuple[bytes, list[tuple[GivenRow, Span]]]:
    """The file's bytes, and its rows with the span of what they teach."""
    try:
        content = file.read_bytes()
        lines = content.decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"corpus {file} cannot be read ({error}); expected UTF-8 JSONL of documents") from error
    rows: list[tuple[GivenRow, Span]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = GivenRow.model_validate(json.loads(line))
        except (ValidationError, json.JSONDecodeError) as error:
            said = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(str(part) for part in said["loc"]) or "row"
            raise InputError(
                f"corpus {file}, line {number}: {where}: {said['msg']}; expected an object with the document as `text`"
            ) from error
        rows.append((row, _taught(row, spec, f"corpus {file}, line {number}")))
    if not rows:
        raise InputError(f"corpus {file} is empty; expected JSONL of documents")
    return content, rows


def _taught(row: GivenRow, spec: ModelSpec, where: str) -> Span:
    if row.quote:
        span = spec.locate(row.quote)
        if span is None:
            raise InputError(
                f"{where}: the spec {spec.name!r} does not say {row.quote[:80]!r}; a `quote` must stand in it word for "
                "word. Is this corpus about another spec? Leave `quote` out for a document about all of it."
            )
        return span
    if row.span is not None and row.spec == spec.sha256:
        return row.span
    return (0, len(spec.text))


def _section(spec: ModelSpec, span: Span) -> Section | None:
    """The section that holds all of `span`; None where it is spread over several."""
    return next((part for part in spec.sections if part.span[0] <= span[0] and span[1] <= part.span[1]), None)


def _subdomain(spec: ModelSpec, span: Span, row: GivenRow) -> Subdomain:
    section = _section(spec, span)
    title = section.title if section else ("All of the spec" if spec.text else "No spec")
    return Subdomain(
        id=f"sub-{short_hash('given', spec.sha256, span)}",
        domain=row.domain or title,
        name=row.subdomain or title,
        summary="",
        section=title,
        section_id=section.id if section else "",
        span=span,
    )


def _document(spec: ModelSpec, part: Subdomain, row: GivenRow, text: str) -> Document:
    return Document(
        id=f"doc-{short_hash('given', spec.sha256, text)}",
        text=text,
        spec=spec.sha256,
        section=part.section,
        section_id=part.section_id,
        span=part.span,
        domain=part.domain,
        subdomain=part.name,
        assertions=(),
        doc_type=row.doc_type,
        idea=row.idea,
        writer=row.writer,
        seed=row.seed,
    )


def _summary(documents: list[Document], spec: ModelSpec) -> dict[str, Any]:
    words = [len(document.text.split()) for document in documents]
    return {
        "documents": len(documents),
        "words": sum(words),
        "tokens": sum(estimated_tokens(document.text) for document in documents),
        "types": dict(sorted(Counter(document.doc_type for document in documents).items())),
        "coverage": coverage(spec, zip((document.section for document in documents), words, strict=True)),
        "missing": {},
        "hopeless": {},
    }
