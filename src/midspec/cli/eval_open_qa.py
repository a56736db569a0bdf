"""`midspec eval open-qa`: direct questions to any model, graded by a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from midspec.cli.judging import judge_options, judged_as
from midspec.cli.options import copy_out, identity_options, json_option, make_step, print_json, workspace_option


@click.command("open-qa")
@click.option("--model", required=True, help="Hub id, folder, bundled name, or an Inspect AI model name.")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Result of `midspec train`; none = the model as is."
)
@click.option("--chat-template", type=click.Choice(["chatml"]), help="For base models without a chat format.")
@click.option("--spec", "spec_path", required=True, help="Spec file, or the name of a packaged spec.")
@click.option("--judge", default="offline", show_default=True, help="Who grades: `offline` (rules) or a model.")
@click.option("--judge2", help="A second judge, for agreement.")
@click.option("--questions", type=click.Path(path_type=Path), help="JSONL of questions; none = the packaged ones.")
@click.option("--preset", default="paper-like", show_default=True, help="paper-like, or quick.")
@click.option("--split", type=click.Choice(["dev", "test", "all"]), default="dev", show_default=True)
@click.option("--limit", type=int, help="At most so many questions, spread over dimensions.")
@click.option("--samples", type=int, help="Answers to each question.")
@click.option("--temperature", type=float)
@click.option("--max-tokens", type=int, help="Longest answer.")
@click.option("--judge-sees", type=click.Choice(["answer", "everything"]), help="Whether the judge reads thinking.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder for rows and logs.")
@identity_options
@judge_options
@workspace_option
@json_option
def open_qa(
    model: str, checkpoint: Path | None, chat_template: Literal["chatml"] | None, spec_path: str, judge: str,
    judge2: str | None, questions: Path | None, preset: str, split: str, out: Path, model_name: str,
    provider_name: str, workspace: Path, as_json: bool, **asking: Any,
) -> None:  # fmt: skip
    """Ask direct questions about self and conduct; a judge grades the answers 1-10 by the spec."""
    from midspec.cli.training import checkpoint_step
    from midspec.evals.agentic.config import subject
    from midspec.evals.open_qa.config import from_preset, open_qa_step
    from midspec.recipe import validated
    from midspec.records import EvalRow, read_rows
    from midspec.spec import Identity, read_spec

    changes = {key: asking[key] for key in ("limit", "samples", "temperature", "max_tokens", "judge_sees", "seed")}
    config = from_preset(preset, split=split, **changes)
    spec = read_spec(spec_path)
    identity = validated(Identity, model_name=model_name, provider_name=provider_name)
    judges, compute, spending = judged_as(asking, [judge, *([judge2] if judge2 else [])])
    source = checkpoint_step(checkpoint)
    step = open_qa_step(
        "open-qa", subject(model, chat_template), config, spec, identity, judges, checkpoint=source, questions=questions
    )
    folder = make_step(step, workspace, compute, spending)
    copy_out(folder, out)

    from midspec.evals.open_qa.results import agreement, means

    rows = list(read_rows(folder / "rows.jsonl", EvalRow))
    found, agreed = means(rows), agreement(rows)
    if as_json:
        told = [one._asdict() for one in found]
        print_json({"step": str(folder), "out": str(out), "means": told, "agreement": agreed and agreed._asdict()})
        return
    click.echo(f"Graded 1-10 by {judge}, {config.split}; 5 is generic. In brackets the 95% interval.")
    for one in found:
        mean = f"{one.mean:.2f}" if one.mean is not None else "-"
        interval = f"[{one.low:.2f}, {one.high:.2f}]" if one.low is not None else "[no interval]"
        missing = f", {one.missing} missing: between {one.least:.2f} and {one.most:.2f}" if one.missing else ""
        click.echo(f"  {one.dimension:22} {mean:>5} {interval}  n {one.n}{missing}")
    if agreed:
        kappa = f"{agreed.kappa:.2f}" if agreed.kappa is not None else "-"
        apart = f"{agreed.difference:+.2f}" if agreed.difference is not None else "-"
        click.echo(f"{judge2} against {judge}: weighted kappa {kappa}, difference {apart}, on {agreed.n} answers")
    click.echo(f"Rows and logs for Inspect's viewer: {out}")
