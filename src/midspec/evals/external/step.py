"""A task of Inspect's as a step: run on one checkpoint, its scores as rows, its numbers in the summary, its log beside.

Each sample is in the log as soon as it is finished, and what a killed run had finished is not asked again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log
from inspect_ai.model import GenerateConfig, get_model

from midspec.errors import InputError, MidspecError, StepError
from midspec.evals.external.config import VERSION, ExternalStepConfig
from midspec.evals.external.find import find_task
from midspec.evals.external.resume import find_earlier, remove_others
from midspec.evals.external.scores import read_log
from midspec.evals.inspect_run import MAX_SAMPLES, opened, whole_log
from midspec.experiment import WriterConfig
from midspec.llm.prices import Tokens, load_prices
from midspec.records import write_rows
from midspec.steps.step import Context

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog
    from inspect_ai.model import Model

__all__ = ["VERSION", "run"]

ATTEMPTS = 3
"""Times a sample is tried before the step fails; what was finished stays. (ours)"""


def run(context: Context) -> dict[str, Any]:
    """Run the task and write `rows.jsonl` (EvalRow, one a sample and epoch) and `logs/`.

    Row: `item` the sample's id, `score` and `facets` as in `read_log`. Input `checkpoint` (optional): a training step's
    folder. Summary: items, unscored by reason, metrics (see `Metric`), tokens and dollars of the grader. Raises
    StepError where the task fails or has changed, InputError where it or its grader cannot be opened.
    """
    config: ExternalStepConfig = context.config
    name = f"{context.source}@{config.task}" if context.source else config.task
    if find_task(name).code != config.code:
        raise StepError(f"task {name} has changed since this run was planned; start the run again")
    with opened(config.model, context) as model:
        log = _evaluated(context, config, name, model)
    rows, metrics = read_log(log, config.task)
    write_rows(context.folder / "rows.jsonl", rows)
    return {
        "items": len(rows),
        "unscored": dict(sorted(Counter(row.unscored for row in rows if row.unscored is not None).items())),
        "metrics": [metric._asdict() | {"columns": list(metric.columns)} for metric in metrics],
        **_spent(context, config.grader, log),
    }


def _evaluated(context: Context, config: ExternalStepConfig, name: str, model: Model) -> EvalLog:
    entry = config.eval
    asked: dict[str, Any] = {
        key: value for key in ("temperature", "max_tokens") if (value := getattr(entry, key)) is not None
    }
    logs_folder = (context.folder / "logs").resolve()
    earlier = find_earlier(logs_folder)
    if earlier is not None and earlier.complete:
        return read_eval_log(earlier.info)
    roles = {"grader": _grader(context, config.grader)} if config.grader else None
    try:
        logs = inspect_eval(
            earlier.rest(name, entry.args, model, roles, context.source) if earlier else name,
            model=model,
            model_roles=roles,
            task_args=entry.args,
            log_dir=str(logs_folder),
            limit=entry.limit,
            epochs=entry.epochs,
            seed=entry.seed,
            fail_on_error=True,
            retry_on_error=ATTEMPTS - 1,
            max_samples=MAX_SAMPLES,
            display="none",
            log_format="eval",
            log_level="error",
            log_buffer=1,
            log_realtime=False,
            ctl_server=False,
            score_display=False,
            **asked,
        )
    except MidspecError:
        raise
    except Exception as error:
        raise StepError(f"evaluation {config.task}: {type(error).__name__}: {error}") from error
    log = whole_log(logs, model, config.task)
    remove_others(logs_folder, log.location)
    return read_eval_log(log.location)


def _grader(context: Context, grader: WriterConfig) -> Model:
    settings = GenerateConfig(temperature=grader.temperature, top_p=grader.top_p, max_tokens=grader.max_tokens)
    try:
        return get_model(
            grader.model, config=settings, base_url=context.compute.judge_url, memoize=False, **grader.args
        )
    except (ValueError, ImportError) as error:
        raise InputError(f"grader {grader.model!r} cannot be asked: {error}") from error


def _spent(context: Context, grader: WriterConfig | None, log: EvalLog) -> dict[str, Any]:
    """Tokens of the grader and what they cost; nothing where it was not asked, no dollars where no price is known."""
    usage = log.stats.model_usage.get(grader.model) if grader else None
    if usage is None or grader is None:
        return {}
    tokens = Tokens(
        input_tokens=usage.input_tokens,
        cached_tokens=usage.input_tokens_cache_read or 0,
        cache_write_tokens=usage.input_tokens_cache_write or 0,
        output_tokens=usage.output_tokens,
    )
    price = load_prices(context.workspace).find(grader.model, context.compute.judge_url)
    told: dict[str, Any] = {"tokens": usage.total_tokens}
    if price is None:
        return {**told, "warnings": [f"the price of {grader.model} is not known: its dollars are not counted"]}
    return {**told, "dollars": round(price.dollars(tokens), 6)}
