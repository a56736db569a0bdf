"""Inspect as a part of a step: a model opened, a task run, its log or the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from midspec.errors import InputError, MidspecError, MissingDependencyError, StepError
from midspec.steps.step import Context
from midspec.train.models import ModelRef, ThinkingRef

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.log import EvalLog
    from inspect_ai.model import Model

MAX_SAMPLES = 1024
"""Samples under way: those of a local model all wait for one pass; of others, `max_connections` are asked at once."""


@contextmanager
def opened(model: ModelRef | str, context: Context, *, local: bool = False) -> Generator[Model]:
    """The model under test: a local one with the input `checkpoint`, or any of Inspect's by name. Closed at the end.

    `local`: in this process, whatever `compute.serve` says, for what a server does not give: likelihoods of texts.

    Raises MissingDependencyError without the extras it needs, InputError for a model that Inspect cannot open.
    """
    try:
        from inspect_ai.model import get_model

        from midspec.evals import registry
        from midspec.evals.provider import MidspecAPI
    except ImportError as error:
        raise MissingDependencyError(
            f"evaluating needs the package {error.name!r}: pip install 'midspec[train,eval]'"
        ) from error
    assert registry.midspec
    with quiet():
        if isinstance(model, str):
            try:
                yield get_model(model, memoize=False)
            except (ValueError, ImportError) as error:
                if isinstance(error, MidspecError):
                    raise
                raise InputError(f"model {model!r} cannot be asked: {error}") from error
            return
        checkpoint = context.inputs.get("checkpoint")
        if context.compute.serve != "transformers" and not local:
            from midspec.evals.serving.pool import served

            folder = checkpoint / "checkpoint" if checkpoint else None
            yield served(model, folder, context.compute.serve, context.progress)
            return
        here = get_model(
            f"midspec/{model.name}",
            memoize=False,
            ref=ModelRef(**{key: getattr(model, key) for key in ModelRef.model_fields}).model_dump(),
            thinking=isinstance(model, ThinkingRef),
            # Inspect changes the working directory for the tasks of a file.
            checkpoint=str((checkpoint / "checkpoint").resolve()) if checkpoint else None,
            device=context.compute.device,
            threads=context.compute.threads,
        )
        assert isinstance(here.api, MidspecAPI)
        here.api.progress = context.progress
        try:
            yield here
        finally:
            here.api.close()


def run_task(task: Task, model: Model, context: Context, *, name: str, seed: int | None, **settings: Any) -> EvalLog:
    """The log of `task`, written to `logs/` in the step's folder. `settings`: further arguments of Inspect's `eval`.

    `seed`: of every request; None where many samples of one prompt must differ.

    Raises StepError with the reason when it fails, and errors of ours as they are.
    """
    from inspect_ai import eval as inspect_eval

    asked: dict[str, Any] = {
        "log_dir": str(context.folder / "logs"),
        "log_format": "eval",
        "display": "none",
        "log_level": "warning",
        "log_realtime": False,
        "ctl_server": False,
        "score_display": False,
        "fail_on_error": True,
        "retry_on_error": 0,
        "seed": seed,
        "max_samples": MAX_SAMPLES,
    }
    try:
        logs = inspect_eval(task, model=model, **(asked | settings))
    except MidspecError:
        raise
    except Exception as error:
        raise StepError(f"evaluation {name}: {type(error).__name__}: {error}") from error
    return whole_log(logs, model, name)


def whole_log(logs: Sequence[EvalLog], model: Model, name: str) -> EvalLog:
    """The one log of an evaluation that came to its end.

    Raises StepError with the reason where it failed, errors of ours as they are, and KeyboardInterrupt.
    """
    # Inspect takes Ctrl-C for itself, and returns a cancelled log or none.
    if not logs or logs[0].status == "cancelled":
        raise KeyboardInterrupt
    if len(logs) != 1:
        raise StepError(f"evaluation {name} made {len(logs)} logs; expected a function that returns one Task")
    log = logs[0]
    if log.status != "success":
        failure = getattr(model.api, "failure", None)
        if isinstance(failure, MidspecError):
            raise failure
        reason = log.error.message if log.error else log.status
        raise StepError(f"evaluation {name} failed: {reason}") from failure
    return log


@contextmanager
def quiet() -> Generator[None]:
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
