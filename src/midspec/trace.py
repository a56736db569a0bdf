"""From an id back to the text that caused it: document -> passage, demonstration -> preference, item -> answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from midspec.corpus.planned import CorpusPlan
from midspec.errors import InputError
from midspec.records import ChatExample, Document, EvalRow, Section, read_rows
from midspec.steps.record import StepRecord
from midspec.steps.store import Store


def trace(store: Store, wanted: str) -> dict[str, Any]:
    """What is known of the row, section or step `wanted` in this workspace, as JSON data with a `kind` key.

    Raises InputError where nothing has that id.
    """
    for look in (_document, _demonstration, _section, _step, _item):
        found = look(store, wanted)
        if found:
            return found
    raise InputError(
        f"nothing in {store.workspace / 'steps'} has the id {wanted!r}; expected the id of a document (doc-...), "
        "demonstration, evaluation item, section (sec-...) or step (its fingerprint). Is this the right --workspace?"
    )


def _lines_with(file: Path, wanted: str) -> bool:
    """A cheap look before parsing: most files do not hold the id."""
    with file.open(encoding="utf-8") as lines:
        return any(wanted in line for line in lines)


def _step_name(record: StepRecord) -> str:
    return f"{record.kind}/{record.name}-{record.fingerprint}"


def _users(store: Store, source: StepRecord) -> list[str]:
    """Steps that were made, directly or not, from `source`."""
    names = {_step_name(source)}
    users: list[str] = []
    for _, record in store.finished():
        if names & set(record.inputs.values()):
            names.add(_step_name(record))
            users.append(_step_name(record))
    return users


def _document(store: Store, wanted: str) -> dict[str, Any] | None:
    for folder, record in store.finished("corpus"):
        rows = folder / "documents.jsonl"
        if not _lines_with(rows, wanted):
            continue
        for document in read_rows(rows, Document):
            if document.id != wanted:
                continue
            spec = (folder / "spec.md").read_text(encoding="utf-8")
            plan = CorpusPlan.model_validate_json((folder / "plan.json").read_text(encoding="utf-8"))
            texts = plan.assertion_texts
            return {
                "kind": "document",
                **document.model_dump(mode="json"),
                "passage": spec[slice(*document.span)],
                "assertion_texts": [texts[assertion] for assertion in document.assertions],
                "step": _step_name(record),
                "used_by": _users(store, record),
            }
    return None


def _demonstration(store: Store, wanted: str) -> dict[str, Any] | None:
    for folder, record in store.finished("demonstrations"):
        rows = folder / "demonstrations.jsonl"
        if _lines_with(rows, wanted):
            for example in read_rows(rows, ChatExample):
                if example.id == wanted:
                    return {
                        **example.model_dump(mode="json"),
                        "kind": "demonstration",
                        "form": example.kind,
                        "step": _step_name(record),
                        "used_by": _users(store, record),
                    }
    return None


def _item(store: Store, wanted: str) -> dict[str, Any] | None:
    from midspec.evals.banks import find_item

    own: set[Path] = set()
    answers: list[dict[str, Any]] = []
    for folder, record in store.finished("evaluate"):
        rows = folder / "rows.jsonl"
        if _lines_with(rows, wanted):
            bank = Path(str(record.config.get("eval", {}).get("value", "")))
            if bank.suffix == ".jsonl" and bank.is_file():
                own.add(bank)
            answers += [
                {"step": _step_name(record), **row.model_dump(mode="json")}
                for row in read_rows(rows, EvalRow)
                if row.item == wanted
            ]
    # A recipe's own bank may be gone by now; what was answered to it is not.
    item = find_item(wanted, sorted(own))
    if item is None and not answers:
        return None
    told = {"id": wanted} if item is None else {**item.model_dump(mode="json"), "form": item.kind}
    return {**told, "kind": "evaluation item", "answers": answers}


def _section(store: Store, wanted: str) -> dict[str, Any] | None:
    if not wanted.startswith("sec-"):
        return None
    from midspec.spec.document import ModelSpec

    for folder, record in store.finished("corpus"):
        spec = ModelSpec(record.name, (folder / "spec.md").read_text(encoding="utf-8"))
        section: Section | None = next((entry for entry in spec.sections if entry.id == wanted), None)
        if section:
            documents = [row.id for row in read_rows(folder / "documents.jsonl", Document) if row.section_id == wanted]
            return {
                "kind": "section",
                **section.model_dump(mode="json"),
                "step": _step_name(record),
                "documents": documents,
            }
    return None


def _step(store: Store, wanted: str) -> dict[str, Any] | None:
    for folder, record in store.finished():
        if record.fingerprint == wanted:
            return {
                "folder": str(folder),
                "used_by": _users(store, record),
                **record.model_dump(mode="json"),
                "kind": "step",
                "step": _step_name(record),
            }
    return None
