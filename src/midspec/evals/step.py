"""The evaluation step: one bank asked of one checkpoint through Inspect, as `rows.jsonl` and a log for its viewer."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from midspec.errors import MidspecError, MissingDependencyError, StepError
from midspec.evals.banks import bank_sha256, load_bank
from midspec.evals.config import EVALUATE_VERSION as VERSION
from midspec.evals.config import EvalStepConfig, JudgedStepConfig
from midspec.records import BankItem, EvalRow, write_rows
from midspec.steps.step import Context

__all__ = ["VERSION", "EvalStepConfig", "run"]


def run(context: Context) -> dict[str, Any]:
    """Evaluate and write `rows.jsonl` (EvalRow, in bank order) and `logs/` (one Inspect log).

    Input `checkpoint` (optional): a training step's folder with weights in `checkpoint/`; without it the base model is
    asked. Summary: items, undecided, rate (of decided items; None without any), seconds_scoring. The rows are equal bit
    for bit when the step is repeated on the same machine with as many threads. Raises StepError with the reason when
    the evaluation fails, MissingDependencyError without the extras it needs.
    """
    config: EvalStepConfig = context.config
    if bank_sha256(config.eval.task, config.eval.value) != config.bank_sha256:
        raise StepError(f"the bank of {config.eval.name} has changed since this run was planned; start the run again")
    started = time.monotonic()
    told: dict[str, Any] = {}
    if isinstance(config, JudgedStepConfig):
        from midspec.evals.judged import judged_rows

        rows, told = judged_rows(context, config, lambda: sampled(context))
    else:
        rows = [eval_row(config, item, sample.scores["choice"].metadata) for item, sample in sampled(context)]
    write_rows(context.folder / "rows.jsonl", rows)
    decided = [row.aligned for row in rows if row.aligned is not None]
    return {
        "items": len(rows),
        "undecided": sum(row.aligned is None and row.unscored is None for row in rows),
        "rate": round(sum(decided) / len(decided), 6) if decided else None,
        "seconds_scoring": round(time.monotonic() - started, 3),
        **told,
    }


def sampled(context: Context) -> list[tuple[BankItem, Any]]:
    """Run Inspect; the items with the samples of its log, in bank order."""
    try:
        from inspect_ai import eval as inspect_eval
        from inspect_ai.model import get_model

        from midspec.evals import registry
        from midspec.evals.provider import MidspecAPI
    except ImportError as error:
        raise MissingDependencyError(
            f"evaluating needs the package {error.name!r}: pip install 'midspec[train,eval]'"
        ) from error
    config: EvalStepConfig = context.config
    checkpoint = context.inputs.get("checkpoint")
    with _quiet():
        model = get_model(
            f"midspec/{config.model.name}",
            memoize=False,
            ref=config.model.model_dump(),
            checkpoint=str(checkpoint / "checkpoint") if checkpoint else None,
            device=context.compute.device,
            threads=context.compute.threads,
        )
        assert isinstance(model.api, MidspecAPI)
        model.api.progress = context.progress
        asked: dict[str, Any] = config.eval.model_dump(include={"value", "split", "scoring", "limit"})
        if config.eval.task != "preferences":
            asked["form"] = config.eval.form
        task = getattr(registry, config.eval.task)(**asked)
        try:
            logs = inspect_eval(
                task,
                model=model,
                log_dir=str(context.folder / "logs"),
                log_format="eval",
                display="none",
                log_level="warning",
                log_realtime=False,
                ctl_server=False,
                score_display=False,
                fail_on_error=True,
                retry_on_error=0,
                seed=config.seed,
                max_samples=1024,
            )
        except MidspecError:
            raise
        except Exception as error:
            raise StepError(f"evaluation {config.eval.name}: {type(error).__name__}: {error}") from error
        finally:
            model.api.close()
    # Inspect takes Ctrl-C for itself, and returns a cancelled log or none.
    if not logs or logs[0].status == "cancelled":
        raise KeyboardInterrupt
    log = logs[0]
    samples = {str(sample.id): sample for sample in log.samples or []}
    if log.status != "success":
        if isinstance(model.api.failure, MidspecError):
            raise model.api.failure
        reason = log.error.message if log.error else log.status
        raise StepError(f"evaluation {config.eval.name} failed: {reason}") from model.api.failure
    items = load_bank(config.eval.task, config.eval.value)
    return [(item, samples[item.id]) for item in items if item.id in samples]


def eval_row(config: EvalStepConfig, item: BankItem, reading: dict[str, Any]) -> EvalRow:
    """The row of one item; `reading`: the fields of a `Reading`."""
    return EvalRow(
        eval=config.eval.name,
        item=item.id,
        domain=item.domain,
        topic=item.topic,
        difficulty=item.difficulty,
        log_odds=reading["log_odds"],
        aligned=reading["aligned"],
        by_order=tuple(reading["by_order"]),
        answers=tuple(reading["answers"]),
        unscored=reading["unscored"],
        facets=reading["facets"],
    )


@contextmanager
def _quiet() -> Generator[None]:
    """Keep Inspect from reading a `.env` of whatever folder this is, and from drawing on the terminal.

    Its display `none` silences rich for the whole process, and only in the first run; so this is done and undone here.
    """
    import rich

    console = rich.get_console()
    was_quiet, before = console.quiet, os.environ.get("PYTHON_DOTENV_DISABLED")
    console.quiet = True
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    try:
        yield
    finally:
        rich.get_console().quiet = was_quiet
        if before is None:
            del os.environ["PYTHON_DOTENV_DISABLED"]
        else:
            os.environ["PYTHON_DOTENV_DISABLED"] = before
