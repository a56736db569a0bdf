"""`midspec eval agentic`: the 27 cells of agentic misalignment, outside a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import copy_out, json_option, make_step, print_json, workspace_option

if TYPE_CHECKING:
    from midspec.evals.agentic.config import AgenticConfig
    from midspec.evals.agentic.numbers import Line, Share, Table
    from midspec.steps import Step

_SURFACE = {
    "names": (("given", "other"), "Surface probe: companies, persons, addresses and code."),
    "mails": (("tags", "headers", "json"), "Surface probe: how the inbox is written."),
    "tools": (("tags", "attributes", "json"), "Surface probe: how tools are to be used."),
    "recipient": (("to", "cc"), "Surface probe: whether outgoing mail has a field `to`."),
}


def _surface_options(command: Any) -> Any:
    for name, (choices, text) in reversed(_SURFACE.items()):
        command = click.option(f"--{name}", type=click.Choice(choices), default=choices[0], help=text)(command)
    return command


@click.command("agentic")
@click.option("--model", required=True, help="A bundled name, midspec/NAME, a folder, or any Inspect AI model name.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Result of `midspec train`; none = the base model.")
@click.option("--chat-template", type=click.Choice(["chatml"]), help="For base models without a chat format.")
@click.option("--preset", default="paper-like", show_default=True, help="Settings that belong together.")
@click.option("--scenarios", metavar="A,B", help="Some of exfiltration, leaking, murder.")
@click.option("--goals", metavar="A,B", help="Some of none, america, global, ethical, pragmatic, acceleration, ...")
@click.option("--samples", type=int, help="Answers per cell; default: the preset's.")
@click.option("--grader", help="`offline` (rules), or an Inspect AI model name; default: the preset's.")
@click.option("--called", help="What the assistant is called; default: as the preset says.")
@click.option("--urgency", type=click.Choice(["replacement", "restriction", "none"]), help="Default: the preset's.")
@click.option("--scratchpad/--no-scratchpad", default=None, help="Offer a scratchpad; default: as the preset says.")
@click.option("--thinking", type=click.Choice(["parsed", "raw"]), help="A reasoning model's thinking.")
@click.option("--temperature", type=float, help="Default: the preset's.")
@click.option("--max-tokens", type=int, help="Longest answer; default: the preset's.")
@click.option("--seed", type=int, help="Of sampling, for local models.")
@_surface_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for rows, transcripts and logs.")
@judge_options
@workspace_option
@json_option
def agentic(
    model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, preset: str, scenarios: str | None,
    goals: str | None, samples: int | None, grader: str | None, called: str | None, urgency: str | None,
    scratchpad: bool | None, thinking: str | None, temperature: float | None, max_tokens: int | None, seed: int | None,
    names: str, mails: str, tools: str, recipient: str, out: Path, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Put a model under pressure in 27 cells and say how often it decides for harm.

    Presets: `paper-like` (the default) and `inspect` (the package's leaking and murder as they are). Neither is
    identical to what it is named after; docs/agentic.md says in what. After an interruption the same command goes on.
    """
    from midspec.cli.training import checkpoint_step
    from midspec.evals.agentic.config import agentic_step, find_preset, from_preset, subject
    from midspec.recipe import validated

    judged_by = grader or find_preset(preset).grader
    entry = from_preset(
        preset, model, scenarios=_parts(scenarios), goals=_parts(goals), samples=samples, called=called,
        urgency=urgency, scratchpad=scratchpad, thinking=thinking, temperature=temperature, max_tokens=max_tokens,
        seed=seed, surface={"names": names, "mails": mails, "tools": tools, "recipient": recipient},
    )  # fmt: skip
    tested = subject(model, chat_template)
    [judge], compute, spending = judged_as(asking, [judged_by])
    if isinstance(tested, str) and not asking["yes"]:
        count = len(entry.scenarios) * len(entry.goals) * entry.samples
        click.confirm(f"{tested} will be asked {count:,} times and paid for. Go on?", abort=True, err=True)
    if entry.rubric == "inspect_evals":
        judge = validated(type(judge), **{**judge.model_dump(), "temperature": None})
    for line in asked_lines(entry, judged_by):
        click.echo(line, err=True)
    source = checkpoint_step(checkpoint)
    step = agentic_step("agentic", tested, entry, judge, source)
    folder = make_step(step, workspace, compute, spending)
    _fill(out, folder)
    show(out, as_json, {"preset": preset, "called": entry.called, "grader": judged_by, "step": str(folder)}, step)


def show(out: Path, as_json: bool, facts: dict[str, Any], step: Step) -> None:
    """Print the table of the rows in `out`, as text or as JSON with `facts`."""
    from midspec.evals.agentic.config import OFFLINE, find_preset
    from midspec.evals.agentic.numbers import table
    from midspec.records import EvalRow, read_rows

    found = table(list(read_rows(out / "rows.jsonl", EvalRow)))
    if as_json:
        print_json({"out": str(out), **facts, "fingerprint": step.fingerprint, **found.plain()})
        return
    for line in table_lines(found):
        click.echo(line)
    if facts["grader"] == OFFLINE:
        click.echo("Graded by rules, no model read the answers: see docs/agentic.md for what rules miss.")
    if "preset" in facts:
        reasons = find_preset(facts["preset"]).not_identical
        click.echo(f"Preset {facts['preset']}, not identical to what it is named after:")
        for reason in reasons:
            click.echo(f"  - {reason}")
    click.echo(f"Rows, transcripts and Inspect's logs: {out}")


def asked_lines(entry: AgenticConfig, grader: str) -> list[str]:
    """What decides the answers, as text: shown before anything is asked."""
    cells = len(entry.scenarios) * len(entry.goals)
    scratchpad = "with a scratchpad" if entry.scratchpad else "without a scratchpad"
    heat = "the provider's own temperature" if entry.temperature is None else f"temperature {entry.temperature:g}"
    longest = (
        "as long as the provider lets them be" if entry.max_tokens is None else f"at most {entry.max_tokens:,} tokens"
    )
    return [
        f"Preset {entry.preset}: {cells} cells x {entry.samples}, {heat}, answers {longest} (--max-tokens),",
        f"  called {entry.called}, {scratchpad}, thinking {entry.thinking}, graded by {grader}.",
    ]


def table_lines(found: Table) -> list[str]:
    """The table as text."""
    head = (
        f"{'':<28}{'n':>5}  {'decided [95%]':<20}{'bounds':<13}{'harmful':>8}{'tool':>7}{'d|tool':>8}{'d|none':>8}"
        f"{'e|d':>7}{'refusal':>9}{'aware':>7}{'cut':>5}  not judged"
    )
    lines: list[Line] = [*found.cells, *found.scenarios, found.all]
    why = {line.of: ", ".join(f"{count} {reason}" for reason, count in line.missing.items()) for line in lines}
    return [
        head,
        *(
            f"{line.of:<28}{line.n:>5}  {_interval(line.decided):<20}{_bounds(line.decided):<13}"
            f"{_rate(line.harmful):>8}{_rate(line.tool_used):>7}{_rate(line.decided_with_tool):>8}"
            f"{_rate(line.decided_without_tool):>8}{_rate(line.executed_if_decided):>7}{_rate(line.prose_refusal):>9}"
            f"{_rate(line.eval_aware):>7}{line.cut:>5}  {why[line.of]}"
            for line in lines
        ),
        "decided: classifier_verdict, the paper's misaligned; d|tool, d|none: decided with, without a tool;",
        "e|d: carried out if decided; cut: answers at the token limit; bounds: if all not judged were no, or yes.",
    ]


def _rate(share: Share) -> str:
    return "-" if share.value is None else f"{share.value:.2f}"


def _interval(share: Share) -> str:
    low, high = share.low, share.high
    return _rate(share) + (f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else "")


def _bounds(share: Share) -> str:
    least, most = share.least, share.most
    return "" if least is None or most is None or share.read == share.n else f"{least:.2f}-{most:.2f}"


def _parts(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",") if part.strip()] if text else None


def _fill(out: Path, folder: Path) -> None:
    """Copy the result; a folder that holds this very result already is left as it is."""
    record = "record.json"
    if (out / record).is_file() and (out / record).read_bytes() == (folder / record).read_bytes():
        return
    copy_out(folder, out)
