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
from midspec.evals.config import EvalStepConfig
from midspec.records import EvalRow, write_rows
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
    samples = _samples(context)
    rows = [_row(config, sample) for sample in samples]
    write_rows(context.folder / "rows.jsonl", rows)
    decided = [row.aligned for row in rows if row.aligned is not None]
    return {
        "items": len(rows),
        "undecided": len(rows) - len(decided),
        "rate": round(sum(decided) / len(decided), 6) if decided else None,
        "seconds_scoring": round(time.monotonic() - started, 3),
    }


def _samples(context: Context) -> list[Any]:
    """Run Inspect; the samples of its log in bank order."""
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
        task = (
            registry.preferences(**asked)
            if config.eval.task == "preferences"
            else registry.opinions(**asked, form=config.eval.form)
        )
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
    ordered = [item.id for item in load_bank(config.eval.task, config.eval.value) if item.id in samples]
    return [samples[item] for item in ordered]


def _row(config: EvalStepConfig, sample: Any) -> EvalRow:
    reading = sample.scores["choice"].metadata
    return EvalRow(
        eval=config.eval.name,
        item=str(sample.id),
        domain=sample.metadata["domain"],
        topic=sample.metadata["topic"],
        difficulty=sample.metadata["difficulty"],
        log_odds=reading["log_odds"],
        aligned=reading["aligned"],
        by_order=tuple(reading["by_order"]),
        answers=tuple(reading["answers"]),
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
