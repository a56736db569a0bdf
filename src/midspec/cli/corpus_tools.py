"""`midspec corpus check | rename | card | push`: look at rows before training on them, vary and publish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from midspec.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.corpus.gate import Subject
    from midspec.corpus.gate_report import GateReport
    from midspec.corpus.publish import Made


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--spec", "spec_path", help="Spec the texts are about: file or packaged name. Known for a step's own file."
)
@click.option("--model-name", help="The assistant's name in the texts.")
@click.option("--provider-name", help="Who makes it.")
@click.option(
    "--bank", "banks", multiple=True, help="Evaluation bank to look for, e.g. affordability-items. Default: all."
)
@click.option("--no-banks", is_flag=True, help="Look for no evaluation items.")
@click.option("--text-field", default="text", show_default=True)
@click.option("--id-field", default="id", show_default=True)
@click.option("--section-field", default="section", show_default=True, help="Heading of the spec that a row teaches.")
@json_option
@click.pass_context
def check(
    context: click.Context, file: Path, spec_path: str | None, model_name: str | None, provider_name: str | None,
    banks: tuple[str, ...], no_banks: bool, text_field: str, id_field: str, section_field: str, as_json: bool,
) -> None:  # fmt: skip
    """Check FILE, any JSONL of texts or chats, before training on it.

    Exit status: 0 where no check fails, 7 where one does, 2 for a file that cannot be read.
    """
    from midspec.corpus.gate import check_texts
    from midspec.corpus.gate_texts import Fields, read_texts
    from midspec.errors import StepError

    rows = read_texts(file, Fields(text=text_field, id=id_field, section=section_field))
    report = check_texts(rows, _subject(file, spec_path, model_name, provider_name, banks, no_banks))
    if as_json:
        print_json({"file": str(file), **report.model_dump(mode="json")})
    else:
        _show(file, report)
    context.exit(StepError.exit_status if report.verdict == "fail" else 0)


def _subject(
    file: Path, spec_path: str | None, model_name: str | None, provider_name: str | None, banks: tuple[str, ...],
    no_banks: bool,
) -> Subject:  # fmt: skip
    from midspec.corpus.gate import Subject
    from midspec.corpus.gate_step import subject_beside
    from midspec.errors import InputError
    from midspec.leakage import bank_items, packaged_banks_sha256
    from midspec.recipe import validated
    from midspec.spec import Identity, read_spec

    beside = subject_beside(file) or Subject()
    identity = beside.identity
    spec = read_spec(spec_path) if spec_path else beside.spec
    if model_name or provider_name:
        known = identity or Identity()
        identity = validated(
            Identity,
            model_name=model_name or known.model_name,
            provider_name=provider_name or known.provider_name,
        )
    packaged = list(packaged_banks_sha256())
    if unknown := sorted(set(banks) - set(packaged)):
        raise InputError(f"there is no evaluation bank {unknown[0]!r}; expected one of: {', '.join(packaged)}")
    items = [] if no_banks else bank_items(banks or packaged)
    return Subject(identity, spec, beside.assertions, items)


_MARK = {"pass": "pass", "warn": "WARN", "fail": "FAIL", "skipped": "-"}


def _show(file: Path, report: GateReport) -> None:
    against = f" against the spec {report.spec!r}" if report.spec else ""
    click.echo(f"{file}: {report.rows:,} {report.kind}, {report.words:,} words{against}")
    for result in report.checks:
        click.echo(f"  {_MARK[result.verdict]:<5} {result.name:<16} {result.says}")
        if result.verdict in ("warn", "fail"):
            for example in result.examples:
                click.echo(f"          {example.id}: {example.why}")
            click.echo(f"          fails where: {result.limit}")
    failed = ", ".join(result.name for result in report.failed())
    click.echo(f"Verdict: {report.verdict}" + (f" ({failed})" if failed else ""))


@click.command("rename")
@click.argument("corpus")
@click.option("--from-model", default="Aria", show_default=True, help="The assistant that CORPUS names.")
@click.option("--from-provider", default="Northfield Labs", show_default=True, help="Its maker, as CORPUS names it.")
@click.option("--model-name", help="The assistant to name in its place.")
@click.option("--provider-name", help="Its maker.")
@click.option("--nobody", is_flag=True, help="Name nobody in particular: group nouns in place of the assistant.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New JSONL file.")
def rename(
    corpus: str, from_model: str, from_provider: str, model_name: str | None, provider_name: str | None, nobody: bool,
    out: Path,
) -> None:  # fmt: skip
    """Make the same documents about another assistant, or about nobody: CORPUS is a file or a packaged corpus.

    Only names change. Placeholders ({model_name}) count as the names of --from-model and --from-provider.
    """
    from midspec.corpus.given import corpus_file
    from midspec.corpus.rename import left_over, renamed_file
    from midspec.errors import InputError
    from midspec.recipe import validated
    from midspec.spec import Identity
    from midspec.steps.store import explained

    named = model_name is not None and provider_name is not None
    if named == nobody or (nobody and (model_name or provider_name)):
        raise InputError("expected either --model-name and --provider-name, or --nobody")
    before = validated(Identity, model_name=from_model, provider_name=from_provider)
    after = None if nobody else validated(Identity, model_name=model_name, provider_name=provider_name)
    rows = renamed_file(corpus_file(corpus), before, after)
    with explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        out.write_text("".join(lines), encoding="utf-8", newline="\n")
    click.echo(f"{out}: {len(rows):,} documents about {'nobody in particular' if after is None else after.model_name}")
    if nobody and (left := sum(bool(left_over(row["text"])) for row in rows)):
        click.echo(f"{left:,} of them still speak of software or machines, which no program here can take out")


_licence_option = click.option(
    "--license", "licence", default="unknown", show_default=True, help="The Hub's id of a licence, e.g. cc-by-4.0."
)


@click.command("card")
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder.")
@click.option("--title", help="Title of the card. Default: name of the step or file.")
@click.option(
    "--license", "licence", default="unknown", show_default=True, help="The Hub's id of a licence, e.g. cc-by-4.0."
)
@workspace_option
@json_option
def card(source: str, out: Path, title: str | None, licence: str, workspace: Path, as_json: bool) -> None:
    """Make a folder for the Hugging Face Hub from SOURCE: a JSONL file, a step's folder, or a step's fingerprint."""
    made = _made(source, out, title, licence, workspace)
    if as_json:
        print_json({"folder": str(out), "files": dict(made.files), "rows": dict(made.rows)})
        return
    _show_folder(made)


@click.command("push")
@click.argument("source")
@click.option("--repo", required=True, metavar="ORG/NAME", help="Data set on the Hub; made where there is none.")
@click.option("--title", help="Title of the card. Default: NAME.")
@click.option(
    "--license", "licence", default="unknown", show_default=True, help="The Hub's id of a licence, e.g. cc-by-4.0."
)
@click.option("--private", is_flag=True, help="Make a new data set private.")
@click.option("--dry-run", is_flag=True, help="Show what would be uploaded, and upload nothing.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the folder here if all goes well.")
@workspace_option
@json_option
def push(
    source: str, repo: str, title: str | None, licence: str, private: bool, dry_run: bool, out: Path | None,
    workspace: Path, as_json: bool,
) -> None:  # fmt: skip
    """Upload SOURCE (as in `card`) to the Hugging Face Hub, with its card and where it comes from."""
    import shutil
    import tempfile

    from midspec.upload import check_repository
    from midspec.upload import push as upload

    check_repository(repo)
    with tempfile.TemporaryDirectory(prefix="midspec-push-") as temporary:
        folder = out or Path(temporary) / "dataset"
        made = _made(source, folder, title or repo.partition("/")[2], licence, workspace, repo)
        try:
            address = None if dry_run else upload(folder, repo, private=private)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # the next try makes it anew and finds no full folder in its way
            raise
    if as_json:
        print_json({"repo": repo, "uploaded": address, "files": dict(made.files), "rows": dict(made.rows)})
        return
    _show_folder(made)
    click.echo(f"Uploaded: {address}" if address else f"Dry run: this would be uploaded to {repo}; nothing was.")


def _made(
    source: str, out: Path, title: str | None, licence: str, workspace: Path, repository: str = "ORG/NAME"
) -> Made:
    from midspec.corpus.gate import check_texts
    from midspec.corpus.gate_texts import read_texts
    from midspec.corpus.publish import find_source, load_with_datasets, make_folder
    from midspec.errors import InputError, StoreError

    found = find_source(source, workspace)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty folder; choose another --out or remove it")
    first = next(iter(found.files.values()))
    gate = found.gate or check_texts(read_texts(first), _subject(first, None, None, None, (), False))
    name = title or (found.record.name if found.record else Path(source).stem)
    made = make_folder(found, out, title=name, licence=licence, repository=repository, gate=gate)
    by_card = load_with_datasets(out, list(made.rows))
    if by_card is not None and by_card != made.rows:
        raise StoreError(f"{out}: the library datasets loads {by_card} rows, pyarrow {dict(made.rows)}")
    return made


def _show_folder(made: Made) -> None:
    for name, size in made.files.items():
        click.echo(f"  {size:>12,} bytes  {name}")
    counts = ", ".join(
        f"{count:,} rows" + ("" if config == "default" else f" of {config}") for config, count in made.rows.items()
    )
    click.echo(f"{made.folder}: {counts}, loaded back and compared")
