"""`midspec spec show | lint | vary | diff`: Model Specs, what is wrong with them, variants, and what changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from midspec.cli.options import (
    asked_as,
    identity_options,
    json_option,
    make_step,
    print_json,
    workspace_option,
    writer_options,
)

if TYPE_CHECKING:
    from midspec.spec import Finding, ModelSpec, VaryConfig


LEAST_LETTERS = 5
"""Of a head noun that counts alone; shorter ones (`care` of `skin care`) are everyday words. (ours)"""


@click.group()
def spec() -> None:
    """Show, lint, vary and compare Model Specs."""


@spec.command("show")
@click.argument("path")
@identity_options
@click.option("--text", is_flag=True, help="Print the text too, identity filled in.")
@json_option
def spec_show(path: str, model_name: str, provider_name: str, text: bool, as_json: bool) -> None:
    """Sections of the spec at PATH (or of a packaged one) with their character spans."""
    from midspec.spec import Identity, read_spec
    from midspec.spec.origin import read_origin

    found = read_spec(path)
    origin = read_origin(path)
    identity = Identity(model_name=model_name, provider_name=provider_name)
    if as_json:
        print_json(
            {
                "name": found.name,
                "sha256": found.sha256,
                "origin": origin.model_dump(mode="json") if origin else None,
                "characters": len(found.text),
                "words": len(found.text.split()),
                "sections": [section.model_dump(mode="json") for section in found.sections],
                "passages": [
                    {"section": passage.section.id, "span": passage.span, "text": passage.text}
                    for passage in found.passages
                ],
            }
        )
        return
    words = len(found.text.split())
    click.echo(f"{found.name}: {words:,} words, {len(found.sections)} sections, {len(found.passages)} passages")
    if origin:
        click.echo(f"{origin.variant} of {origin.parent} ({origin.parent_sha256[:12]}), written by {origin.writer}")
    for section in found.sections:
        start, end = section.span
        title = section.path[-1] if section.path else "(before the first heading)"
        indent = "  " * max(section.level, 1)
        click.echo(f"{f'[{start}:{end}]':>16}{indent}{identity.fill(title)}  ({len(section.text.split())} words)")
        if text:
            click.echo(identity.fill(section.text) + "\n")


@spec.command("lint")
@click.argument("path")
@click.option(
    "--held-out",
    "banks",
    multiple=True,
    help="A bank whose domains the spec must not mention: a value (affordability), a bank (opinions/america) or a "
    ".jsonl file. May be given again.",
)
@click.option("--recipe", type=click.Path(path_type=Path), help="The same for every bank that a recipe evaluates on.")
@json_option
def spec_lint(path: str, banks: tuple[str, ...], recipe: Path | None, as_json: bool) -> None:
    """What makes the spec at PATH hard to teach. Exit status 1 where there are errors."""
    from midspec.spec import lint, read_spec

    found = read_spec(path)
    findings = lint(found, held_out_words(banks, recipe))
    if as_json:
        print_json([{**finding.model_dump(mode="json"), "line": _line(found, finding)} for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{path}:{_line(found, finding)}: {finding.level}: {finding.message} [{finding.code}]")
        click.echo(f"{len(findings)} finding(s) in {len(found.sections)} sections.")
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(1)


def _line(found: ModelSpec, finding: Finding) -> int:
    return found.text.count("\n", 0, finding.span[0]) + 1 if finding.span else 1


def held_out_words(banks: tuple[str, ...], recipe: Path | None) -> dict[str, set[str]]:
    """Bank -> names of its domains and topics, and the domains' head nouns (`home appliances`: `appliances`).

    Words that only join, or were read in the value's own spec and found to be about something else, are left out.
    Raises InputError for a bank that does not exist.
    """
    from midspec.evals.bank_words import JOINING, READ
    from midspec.evals.banks import load_bank

    found: dict[str, set[str]] = {}
    for task, value in _named(banks, recipe):
        items = load_bank(task, value)
        read = READ.get(items[0].value if items else value, frozenset[str]()) | JOINING
        names = {re.sub(r"[-_/]+", " ", name) for item in items for name in (item.domain, item.topic)}
        heads = {name.split()[-1] for item in items if (name := re.sub(r"[-_/]+", " ", item.domain).strip())}
        words = {name for name in names if len(name.split()) > 1} | {
            head for head in heads if len(head) >= LEAST_LETTERS
        }
        found[f"{task}/{value}"] = {word for word in words if not {word, word.removesuffix("s")} & read}
    return found


def _named(banks: tuple[str, ...], recipe: Path | None) -> list[tuple[Any, str]]:
    from midspec.errors import InputError
    from midspec.evals.banks import packaged_banks

    known = packaged_banks()
    named: list[tuple[Any, str]] = []
    for bank in banks:
        task, slash, value = bank.partition("/")
        if bank.endswith(".jsonl"):
            named.append(("preferences", bank))
        elif slash and (task, value) in known:
            named.append((task, value))
        elif found := [entry for entry in known if not slash and entry[1] == bank]:
            named += found
        else:
            raise InputError(
                f"--held-out {bank!r} is no bank; expected a .jsonl file, one of "
                f"{', '.join(sorted({value for _, value in known}))}, or one of "
                f"{', '.join(f'{task}/{value}' for task, value in known)}"
            )
    if recipe is not None:
        from midspec.recipe import load_recipe
        from midspec.stages import EvalConfig

        named += [(entry.task, entry.value) for entry in load_recipe(recipe).evals if isinstance(entry, EvalConfig)]
    return list(dict.fromkeys(named))


@spec.command("vary")
@click.argument("path", metavar="SPEC")
@click.option(
    "--to",
    "variant",
    required=True,
    type=click.Choice(
        [
            "rules-only", "+values", "+subrules", "length-matched", "general", "anti", "attribution-broken",
            "normative", "descriptive", "identity",
        ]
    ),
    help="What to make of it.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Spec file to write (.md).")
@click.option("--match", help="Spec whose length counts: for length-matched, +values, +subrules.")
@click.option(
    "--how",
    type=click.Choice(["generalise", "shuffle"]),
    default="generalise",
    show_default=True,
    help="For attribution-broken: reasons cut off from what they explain, or exchanged among the preferences.",
)
@click.option(
    "--notes", help="For attribution-broken: what is said of each thing instead; a YAML file or packaged name."
)
@click.option("--model-name", help="For identity: fills {model_name}.")
@click.option("--provider-name", help="For identity: fills {provider_name}.")
@click.option(
    "--rename", multiple=True, metavar="OLD=NEW", help="For identity: a name written out. May be given again."
)
@click.option("--words", type=int, default=330, show_default=True, help="For +values, +subrules: for each rule.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--force", is_flag=True, help="Overwrite --out and its record.")
@writer_options
@workspace_option
@json_option
def spec_vary(
    path: str, variant: Any, out: Path, match: str | None, how: Any, notes: str | None, model_name: str | None,
    provider_name: str | None, rename: tuple[str, ...], words: int, seed: int, force: bool, workspace: Path,
    as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Make a variant of SPEC, a file or packaged name: by program where possible, else by the model of --writer.

    OUT.origin.json beside it says what it was made from and how; `midspec spec diff SPEC OUT` shows what changed.
    """
    from midspec.recipe import validated
    from midspec.spec import VaryConfig, read_spec
    from midspec.spec.attribution import Notes, read_notes
    from midspec.spec.origin import write_variant
    from midspec.spec.prose import word_count
    from midspec.spec.vary import origin_of

    parent = read_spec(path)
    config = validated(
        VaryConfig,
        variant=variant,
        how=how,
        match=read_spec(match).text if match else None,
        notes=read_notes(notes) if notes else Notes(),
        identity=_identity(model_name, provider_name),
        rename=_renames(rename),
        words=words,
        seed=seed,
    )
    text, writer = _varied(parent, config, workspace, asking)
    origin = origin_of(parent, config, text, writer)
    write_variant(text, origin, out, force=force)
    if as_json:
        print_json({"out": str(out), "words": word_count(text), "origin": origin.model_dump(mode="json")})
    else:
        click.echo(
            f"{out}: {variant} of {parent.name}, {word_count(text):,} words ({word_count(parent.text):,} before), "
            f"by {writer}"
        )


def _varied(parent: ModelSpec, config: VaryConfig, workspace: Path, asking: dict[str, Any]) -> tuple[str, str]:
    """(text, who wrote it): the program where it can, else the writer, if that is a language model."""
    from midspec.spec.vary import CannotError, vary

    try:
        return vary(parent, config), "program"
    except CannotError:
        if asking["writer"] == "offline" or config.variant == "identity":
            raise
    from midspec.spec.vary_step import FILE, vary_step

    writer, _, compute, spending = asked_as(asking)
    step = vary_step(config.variant.strip("+"), parent, config, writer)
    folder = make_step(step, workspace, compute, spending)
    return (folder / FILE).read_text(encoding="utf-8"), writer.model


def _identity(model_name: str | None, provider_name: str | None) -> dict[str, str] | None:
    """Of what was given; a placeholder whose name was not given stays a placeholder."""
    if model_name is None and provider_name is None:
        return None
    return {"model_name": model_name or "{model_name}", "provider_name": provider_name or "{provider_name}"}


def _renames(given: tuple[str, ...]) -> dict[str, str]:
    from midspec.errors import InputError

    pairs = [entry.partition("=") for entry in given]
    for (old, _, new), entry in zip(pairs, given, strict=True):
        if not old.strip() or not new.strip():
            raise InputError(
                f"--rename {entry!r} cannot be read; expected OLD=NEW, e.g. --rename 'Aria={{model_name}}'"
            )
    return {old.strip(): new.strip() for old, _, new in pairs}


@spec.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--all", "everything", is_flag=True, help="Print the sentences that stayed, too.")
@click.option("--html", is_flag=True, help="An HTML fragment instead of text.")
@json_option
def spec_diff(a: str, b: str, everything: bool, html: bool, as_json: bool) -> None:
    """What changed from spec A to spec B, by section and sentence, with figures of length and overlap."""
    from midspec.spec import diff, read_spec
    from midspec.spec.diff_show import as_html, as_text

    found = diff(read_spec(a), read_spec(b))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        click.echo(as_html(found) if html else as_text(found, everything=everything))
