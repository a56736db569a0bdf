"""Make a folder that the Hugging Face Hub takes as a data set: Parquet, a card, and where it all came from.

A corpus, demonstrations or any JSONL of rows; from a step's folder the card says who wrote it, to what, for how much.
"""

from __future__ import annotations

import filecmp
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midspec.corpus.gate_report import GateReport
from midspec.corpus.gate_step import REPORT, read_report
from midspec.corpus.publish_card import Card, render
from midspec.errors import InputError, MissingDependencyError, StoreError
from midspec.keys import secret_in, secrets_here
from midspec.steps.record import StepRecord
from midspec.steps.store import Store, explained

SHARD_CHARACTERS = 300_000_000
"""JSON characters per Parquet file, about (the Hub's viewer likes files below 500 MB)."""
ROWS_FILES = {
    "documents.jsonl": "default",
    "demonstrations.jsonl": "default",
    "demonstrations-cot.jsonl": "cot",
    "instruct.jsonl": "default",
}
"""Row files of step folders -> name of the configuration that loads them."""


@dataclass(frozen=True)
class Source:
    """What is to be published."""

    files: Mapping[str, Path]
    """Configuration -> JSONL file."""
    record: StepRecord | None = None
    beside: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Further files that go along, by the name they get."""
    gate: GateReport | None = None
    """What the gate said of these rows in a run."""


def find_source(what: str, workspace: Path) -> Source:
    """The rows meant by `what`: a JSONL file, a step's folder, or a step of the workspace by fingerprint.

    A file that holds, byte for byte, the rows of a finished step of the workspace stands for that step: the commands
    that make rows copy them to `--out`. Raises InputError where it is none of these, or the step has no rows.
    """
    path = Path(what)
    store = Store(workspace)
    if path.is_file():
        inside = (path.parent / "record.json").is_file() and path.name in ROWS_FILES
        made = path.parent if inside else _copied_from(path, store)
        return Source({"default": path}) if made is None else _step_source(made, store)
    if (path / "record.json").is_file():
        return _step_source(path, store)
    for folder, record in store.finished():
        if what in (record.fingerprint, folder.name, f"{record.kind}/{folder.name}"):
            return _step_source(folder, store)
    raise InputError(
        f"{what!r} is no JSONL file, no step folder and no step of {workspace / 'steps'}; expected a file, a folder "
        "such as steps/corpus/NAME-FINGERPRINT, or a fingerprint"
    )


def _copied_from(file: Path, store: Store) -> Path | None:
    """The latest finished step with exactly these rows; None where there is none."""
    for folder, _ in reversed(list(store.finished())):
        for own in (folder / name for name in ROWS_FILES):
            if own.is_file() and filecmp.cmp(own, file, shallow=False):
                return folder
    return None


def _step_source(folder: Path, store: Store) -> Source:
    record = store.record(folder)
    files = {config: folder / name for name, config in ROWS_FILES.items() if (folder / name).is_file()}
    if not files:
        raise InputError(
            f"{folder} is a step of the kind {record.kind!r}, which has no rows; expected a corpus, demonstrations or "
            "instruct step"
        )
    beside = {"spec.md": folder / "spec.md"} if (folder / "spec.md").is_file() else {}
    gates = [
        gate
        for gate, gated in store.finished("corpus-gate")
        if gated.inputs.get("corpus", "").endswith(f"-{record.fingerprint}")
    ]
    return Source(files, record, beside, read_report(gates[-1]) if gates else None)


@dataclass(frozen=True)
class Made:
    """A folder ready for the Hub."""

    folder: Path
    files: Mapping[str, int]
    """Relative path -> bytes."""
    rows: Mapping[str, int]
    """Configuration -> rows, as they load back."""


def make_folder(
    source: Source,
    folder: Path,
    *,
    title: str,
    licence: str = "unknown",
    repository: str = "ORG/NAME",
    gate: GateReport | None = None,
) -> Made:
    """Write `folder`: README.md, data/*.parquet, provenance.json, gate.json and, for a corpus, spec.md.

    Every row is read back and compared before this returns. `gate`: the verdict on the rows that the card shows. Raises
    InputError where a row cannot be read or holds what looks like a key, MissingDependencyError without pyarrow,
    StoreError where what was written does not load back.
    """
    known = secrets_here()
    with explained(folder):
        (folder / "data").mkdir(parents=True, exist_ok=True)
        counts = {config: _write_parquet(path, folder, config, known) for config, path in source.files.items()}
        for name, path in source.beside.items():
            _write(folder / name, path.read_text(encoding="utf-8"), known)
        if gate is not None:
            _write(folder / REPORT, gate.model_dump_json(indent=1) + "\n", known)
        if source.record is not None:
            told = json.dumps(provenance(source.record), ensure_ascii=False, indent=1)
            _write(folder / "provenance.json", told + "\n", known)
        card = Card(
            title=title,
            licence=licence,
            repository=repository,
            rows={config: count for config, (count, _) in counts.items()},
            columns={config: columns for config, (_, columns) in counts.items()},
            record=source.record,
            gate=gate,
        )
        _write(folder / "README.md", render(card), known)
    loaded = load_back(folder, list(source.files))
    expected = {config: count for config, (count, _) in counts.items()}
    if loaded != expected:
        raise StoreError(f"{folder}: wrote {expected} rows and {loaded} load back; look at the disk and try again")
    files = {
        file.relative_to(folder).as_posix(): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file()
    }
    return Made(folder, files, loaded)


def provenance(record: StepRecord) -> dict[str, Any]:
    """A step's record as it may be published: without the arguments that a provider was given."""
    config = {
        key: {name: inner for name, inner in value.items() if name != "args"} if key in ("writer", "judge") else value
        for key, value in record.config.items()
    }
    return {**record.model_dump(mode="json", exclude={"config", "machine"}), "config": config}


def load_back(folder: Path, configs: list[str]) -> dict[str, int]:
    """Configuration -> rows that pyarrow reads from `folder`."""
    parquet = _pyarrow("parquet")
    counts: dict[str, int] = {}
    for config in configs:
        tables = [parquet.read_table(file) for file in sorted((folder / "data").glob(f"{config}-*.parquet"))]
        counts[config] = sum(table.num_rows for table in tables)
    return counts


def load_with_datasets(folder: Path, configs: list[str]) -> dict[str, int] | None:
    """The same by the library `datasets`, through the card's own configurations; None where it is not installed."""
    try:
        import datasets
    except ImportError:
        return None
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(prefix="midspec-datasets-") as cache:
        return {
            config: datasets.load_dataset(str(folder), config, split="train", cache_dir=cache).num_rows
            for config in configs
        }


def _write_parquet(path: Path, folder: Path, config: str, known: list[str]) -> tuple[int, tuple[str, ...]]:
    """Write the rows of one JSONL file as shards; returns how many there are and the columns."""
    schema: Any = None
    shards: list[Path] = []
    count = 0
    for rows in _shards(path, known):
        table = _table(rows, schema, path)
        schema = table.schema
        shards.append(folder / "data" / f"{config}-{len(shards):05}.parquet")
        _pyarrow("parquet").write_table(table, shards[-1], compression="zstd")
        count += len(rows)
        read = _pyarrow("parquet").read_table(shards[-1]).to_pylist()
        if [_filled(row) for row in read] != [_filled(row) for row in rows]:
            raise StoreError(f"{shards[-1]}: rows do not read back as they were written")
    if not shards:
        raise InputError(f"{path} has no rows; expected a JSONL file with one object per line")
    for number, shard in enumerate(shards):
        shard.rename(shard.with_name(f"{config}-{number:05}-of-{len(shards):05}.parquet"))
    return count, tuple(schema.names)


def _table(rows: list[dict[str, Any]], schema: Any, path: Path) -> Any:
    """The rows as an Arrow table. The first shard decides the columns; another form in a later one is an error."""
    arrow = _pyarrow()
    names = list(dict.fromkeys(name for row in rows for name in row)) if schema is None else schema.names
    unknown = {name for row in rows for name in row} - set(names)
    try:
        if unknown:
            raise arrow.ArrowInvalid(f"new field {sorted(unknown)[0]!r}")
        columns = {name: [row.get(name) for row in rows] for name in names}
        if schema is None:
            inferred = arrow.Table.from_pydict(columns).schema
            schema = arrow.schema([arrow.field(entry.name, _told(entry.type)) for entry in inferred])
        return arrow.Table.from_pydict(columns, schema=schema)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
        raise InputError(f"{path}: rows do not have one form ({error}); expected the same fields in all") from error


def _told(kind: Any) -> Any:
    """A type in which every field that no row fills is text: Arrow's null type cannot take a later row's value."""
    arrow = _pyarrow()
    if arrow.types.is_null(kind):
        return arrow.string()
    if arrow.types.is_list(kind):
        return arrow.list_(_told(kind.value_type))
    if arrow.types.is_struct(kind):
        return arrow.struct([arrow.field(entry.name, _told(entry.type)) for entry in kind])
    return kind


def _filled(value: Any) -> Any:
    """A value without the fields that are None, which a table has in every row and a JSON line may leave out."""
    if isinstance(value, dict):
        return {name: _filled(inner) for name, inner in value.items() if inner is not None}
    return [_filled(inner) for inner in value] if isinstance(value, list) else value


def _shards(path: Path, known: list[str]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    size = 0
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            found = secret_in(line, known)
            if found:
                raise InputError(f"{path}, line {number} holds {found}; take it out of the row before publishing")
            rows.append(_row(line, f"{path}, line {number}"))
            size += len(line)
            if size >= SHARD_CHARACTERS:
                yield rows
                rows, size = [], 0
    if rows:
        yield rows


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}); expected an object") from error
    if not isinstance(row, dict) or not row:
        raise InputError(f"{where}: not an object with fields; expected one row per line")
    return row


def _write(path: Path, text: str, known: list[str]) -> None:
    found = secret_in(text, known)
    if found:
        raise InputError(f"{path.name} would hold {found}; it is not written. Take it out of the recipe or the spec")
    path.write_text(text, encoding="utf-8", newline="\n")


def _pyarrow(part: str = "") -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError("Parquet files need pyarrow: pip install 'midspec[hub]'") from error
    return pyarrow.parquet if part else pyarrow
