"""`midspec eval reasoning`: which reasoning stored transcripts show, and how far people agree with the judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import copy_out, identity_options, json_option, make_step, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.evals.reasoning.agreement import Agreement
    from midspec.evals.reasoning.results import Results
    from midspec.evals.reasoning.themes import ThemeSet
    from midspec.stats.intervals import Estimate

F = TypeVar("F", bound=Callable[..., Any])

_NONE = "none"


@click.group("reasoning")
def reasoning() -> None:
    """What kinds of reasoning stored transcripts show, arm by arm.

    Begin with `run`. To review themes before transcripts are classified: `themes --out FILE`, edit FILE, `run --themes
    FILE`. Then `audit` and `agreement` tell how far a person agrees with the judge.
    """


def _source_options(command: F) -> F:
    for option in (
        click.option("--seed", type=int, default=0, show_default=True, help="Of drawing transcripts."),
        click.option(
            "--min-support", type=int, default=3, show_default=True, help="Transcripts a new theme comes from."
        ),
        click.option("--sample", type=int, default=400, show_default=True, help="Transcripts read to discover themes."),
        click.option("--limit", type=int, help="Transcripts read of each run of each arm; default: all."),
        click.option(
            "--reads",
            type=click.Choice(["everything", "reasoning"]),
            default="everything",
            show_default=True,
            help="The whole transcript, or only thinking and scratchpad.",
        ),
        click.option(
            "--judge", default="offline", show_default=True, help="Who reads: `offline` (rules about words) or a model."
        ),
        click.option(
            "--arm",
            "arms",
            multiple=True,
            required=True,
            metavar="NAME=PATH",
            help="Transcripts of an arm: a folder of `midspec eval agentic`, an Inspect log or a folder of them, or "
            "JSONL of chats. Several times for several arms; a name again is another run of that arm.",
        ),
    ):
        command = option(command)
    return command


@reasoning.command("run")
@_source_options
@click.option(
    "--themes", default="paper", show_default=True, help="Theme file, `paper`, or `none` to start from nothing."
)
@click.option("--discover", is_flag=True, help="Look for themes beyond those given, and merge those that overlap.")
@click.option("--spec", "spec_path", help="Spec made of rules: also look at how its rules are used.")
@click.option("--baseline", help="Arm that the others are compared with; default: the first.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for labels, table and page.")
@identity_options
@judge_options
@workspace_option
@json_option
def run(
    arms: tuple[str, ...], judge: str, themes: str, discover: bool, spec_path: str | None, baseline: str | None,
    out: Path, model_name: str, provider_name: str, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Classify transcripts by themes, with quotes, and count per arm. After an interruption, run it again to go on."""
    from midspec.evals.reasoning.config import collect_step, reasoning_steps
    from midspec.evals.reasoning.results import load_results
    from midspec.recipe import validated
    from midspec.spec import Identity, read_spec

    config = _config(asking, discover=discover, baseline=baseline)
    known = _themes(themes)
    spec = read_spec(spec_path) if spec_path else None
    identity = validated(Identity, model_name=model_name, provider_name=provider_name)
    transcripts = collect_step(_arms(arms), config)
    [who], compute, spending = judged_as(asking, [judge])
    steps = reasoning_steps(transcripts, who, known, config, spec, identity)
    folder = make_step(steps.merge, workspace, compute, spending)
    copy_out(folder, out)
    found = load_results(folder)
    if as_json:
        about = {"out": str(out), "step": str(folder), "judge": judge, "merged": found.merged, "spec": found.spec}
        print_json({**about, "themes": found.themes.model_dump(mode="json", exclude_defaults=True), **found.table})
        return
    for line in _lines(found):
        click.echo(line)
    click.echo(f"Labels, themes, table, and quotes.html with links to the transcripts: {out}")


@reasoning.command("themes")
@_source_options
@click.option(
    "--themes", default="paper", show_default=True, help="Theme file, `paper`, or `none` to start from nothing."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="YAML file to write: read it, edit it.")
@judge_options
@workspace_option
@json_option
def themes_(
    arms: tuple[str, ...], judge: str, themes: str, out: Path, workspace: Path, as_json: bool, **asking: Any
) -> None:
    """Discover themes in transcripts, for a person to review before anything is classified by them."""
    from midspec.evals.reasoning.config import collect_step, theme_steps
    from midspec.evals.reasoning.results import THEMES
    from midspec.evals.reasoning.themes import load_themes

    config = _config(asking, discover=True, baseline=None)
    known = _themes(themes)
    transcripts = collect_step(_arms(arms), config)
    [who], compute, spending = judged_as(asking, [judge])
    _, made = theme_steps(transcripts, who, known, config, out.stem)
    folder = make_step(made, workspace, compute, spending)
    copy_out(folder / THEMES, out)
    found = load_themes(folder / THEMES)
    if as_json:
        print_json({"out": str(out), "step": str(folder), **found.model_dump(mode="json", exclude_defaults=True)})
        return
    click.echo(f"{found.origin}:")
    for theme in found.themes:
        click.echo(f"  {theme.support or 0:>5}  {theme.direction:<11} {theme.name}")
    click.echo(f"Read and edit {out}, then: midspec eval reasoning run --themes {out} ...")


@reasoning.command("audit")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(min=1), default=50, show_default=True, help="Rows of the sheet.")
@click.option("--theme", "themes", multiple=True, metavar="ID", help="Only this theme; several times for several.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="New folder for the sheet; default: FOLDER/audit.")
@json_option
def audit(folder: Path, sample: int, themes: tuple[str, ...], seed: int, out: Path | None, as_json: bool) -> None:
    """Draw a blind sample of an analysis in FOLDER for a person to check: sheet.csv, and sheet.html for the keyboard.

    Half of the rows are themes that the judge found, half that it did not; the sheet does not say which, nor of which
    arm. Leave key.json closed until the sheet is filled in.
    """
    from midspec.evals.reasoning.audit import PAGE, SHEET, draw, write_sheet
    from midspec.evals.reasoning.results import load_results

    sheet = draw(load_results(folder), sample, seed, themes)
    place = out or folder / "audit"
    write_sheet(sheet, place)
    asked = len({one.theme for one in sheet.key.asked})
    if as_json:
        print_json({"out": str(place), "rows": len(sheet.rows), "themes": asked})
        return
    click.echo(f"{len(sheet.rows)} rows on {asked} of {len(sheet.key.strata)} themes: {place / SHEET}, {place / PAGE}")
    few = len(sheet.rows) / max(1, len(sheet.key.strata))
    if few < 20:
        click.echo(f"That is {few:.0f} per theme: intervals will be wide. More: --sample; fewer themes: --theme ID.")
    click.echo(f"Fill in `human` with yes, no or unclear, then: midspec eval reasoning agreement {folder} SHEET.csv")


@reasoning.command("agreement")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("sheet", type=click.Path(path_type=Path))
@click.option("--audit", "place", type=click.Path(path_type=Path), help="Folder of the audit; default: FOLDER/audit.")
@json_option
def agreement_(folder: Path, sheet: Path, place: Path | None, as_json: bool) -> None:
    """Compare a filled-in SHEET with the judge of the analysis in FOLDER, theme by theme."""
    from midspec.evals.reasoning.agreement import agreement
    from midspec.evals.reasoning.audit import read_key, read_sheet
    from midspec.evals.reasoning.results import load_results

    results = load_results(folder)
    key = read_key(place or folder / "audit")
    found = agreement(key, read_sheet(sheet, key))
    if as_json:
        print_json({"judge": results.judge, "themes": [one.plain() for one in found]})
        return
    click.echo(f"Judge: {results.judge}. Over all transcripts, in brackets the 95% interval; rows: both say the same.")
    click.echo(
        f"{'':<30}{'rows':>8}{'open':>6}  {'percent':<18}{'kappa':<22}{'precision':<18}{'recall':<18}{'judge':>6}"
        "  human"
    )
    for one in found:
        click.echo(_agreement_line(one))
    click.echo("judge, human: share of transcripts that each says show the theme; human is estimated from the sheet.")


def _agreement_line(one: Agreement) -> str:
    judged = "-" if one.judged is None else f"{100 * one.judged:.0f}%"
    return (
        f"{one.theme:<30}{f'{one.same}/{one.rows}':>8}{one.open:>6}  {_share(one.percent):<18}{_plain(one.kappa):<22}"
        f"{_share(one.precision):<18}{_share(one.recall):<18}{judged:>6}  {_share(one.human)}"
    )


def _share(found: Estimate) -> str:
    if found.value is None:
        return "-"
    interval = "" if found.low is None or found.high is None else f" [{100 * found.low:.0f}, {100 * found.high:.0f}]"
    return f"{100 * found.value:.0f}%{interval}"


def _plain(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "-"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _lines(found: Results) -> list[str]:
    """The table as text."""
    table = found.table
    arms = list(table["transcripts"])
    counts = ", ".join(f"{arm} {count}" for arm, count in table["transcripts"].items())
    lines = [
        f"Read by {found.judge}; transcripts: {counts}. Share in percent [95%], bounds where judgements are missing."
    ]
    shares = {(one["theme"], one["arm"]): one["share"] for one in table["lines"] if one["of"] == "all"}
    apart = {(one["theme"], one["arm"]): one for one in table["differences"]}
    wide = max(24, *(len(arm) + 2 for arm in arms))
    lines.append(f"{'':<42}" + "".join(f"{arm:<{wide}}" for arm in arms))
    for theme in found.questions:
        cells = [_cell(shares.get((theme.id, arm))) for arm in arms]
        lines.append(f"{theme.name[:40]:<42}" + "".join(f"{cell:<{wide}}" for cell in cells).rstrip())
    if apart:
        lines.append(f"\nDifferences from {found.baseline} on equal items, in percentage points [95%]; p after Holm:")
        for theme in found.questions:
            cells = [_difference(apart.get((theme.id, arm))) for arm in arms if arm != found.baseline]
            lines.append(f"{theme.name[:40]:<42}" + "".join(f"{cell:<{wide}}" for cell in cells).rstrip())
        lines.append(f"{table['comparisons']} differences were tested together; p is adjusted for all of them.")
    for arm, reasons in table["missing"].items():
        if reasons:
            told = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            lines.append(f"{arm}: transcripts with a judgement missing: {told}")
    lines += [
        f"{gone} was taken in by {kept}: they show in the same transcripts" for gone, kept in found.merged.items()
    ]
    lines += [
        f"{first} and {second} show in the same transcripts ({100 * index:.0f}%)"
        for first, second, index in table["overlaps"]
    ]
    if found.judge == "offline":
        lines.append("Rules about words have read the transcripts, no model: see docs/reasoning.md for what they miss.")
    return lines


def _cell(share: dict[str, Any] | None) -> str:
    if share is None:
        return "-"
    if share["value"] is None:
        return "- (nothing readable)"
    text = f"{100 * share['value']:.0f}"
    if share["low"] is not None:
        text += f" [{100 * share['low']:.0f}, {100 * share['high']:.0f}]"
    if share["read"] < share["n"]:
        text += f" {100 * share['least']:.0f}-{100 * share['most']:.0f}"
    return text


def _difference(one: dict[str, Any] | None) -> str:
    if one is None or one["value"] is None:
        return "- (no equal items)"
    text = f"{100 * one['value']:+.0f}"
    if one["low"] is not None:
        text += f" [{100 * one['low']:+.0f}, {100 * one['high']:+.0f}]"
    return text + (f" p {one['p_holm']:.3f}" if one["p_holm"] is not None else "")


def _arms(given: Sequence[str]) -> list[tuple[str, Path]]:
    from midspec.errors import InputError

    found: list[tuple[str, Path]] = []
    for one in given:
        name, sign, path = one.partition("=")
        if not sign or not name.strip() or not path.strip():
            raise InputError(f"--arm {one!r} is not NAME=PATH; expected for example --arm baseline=results/baseline")
        found.append((name.strip(), Path(path.strip())))
    return found


def _themes(given: str) -> ThemeSet | None:
    from midspec.evals.reasoning.themes import load_themes

    return None if given == _NONE else load_themes(given)


def _config(asking: dict[str, Any], **more: Any) -> Any:
    from midspec.evals.reasoning.config import ReasoningConfig
    from midspec.recipe import validated

    return validated(
        ReasoningConfig,
        reads=asking["reads"],
        per_run=asking["limit"],
        sample=asking["sample"],
        min_support=asking["min_support"],
        seed=asking["seed"],
        **more,
    )
