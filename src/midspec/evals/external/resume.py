"""What an earlier run of the same step had finished, for Inspect to take over.

A step's folder belongs to one model, task, code and set of arguments, so its newest log is that of this task. Inspect's
eval set would compare more (the device and threads of the model, where its weights lie, the arguments of the task's
solvers), and ask everything again where one of these differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from inspect_ai.log import list_eval_logs, read_eval_log

from midspec.errors import StepError

if TYPE_CHECKING:
    from inspect_ai._eval.task import PreviousTask
    from inspect_ai.log import EvalLog, EvalLogInfo
    from inspect_ai.model import Model

__all__ = ["Earlier", "find_earlier", "remove_others"]


class Earlier(NamedTuple):
    """The newest log of a folder. It holds what the older ones do: a run begins its log with what it takes over."""

    info: EvalLogInfo
    header: EvalLog
    """The log without its samples."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to ask."""
        return self.header.status == "success" and not self.header.invalidated

    def rest(
        self, task: str, args: Mapping[str, Any], model: Model, roles: Mapping[str, Model] | None, source: Path | None
    ) -> PreviousTask:
        """`task` for Inspect's `eval`, which asks only what this log has not finished, or in which a sample failed.

        `source`: its file, None for a task of a package; paths of a sandbox's settings are relative to it.
        """
        # Inspect's own retry rebuilds the model from the log; only these take one that is open already.
        from inspect_ai._eval.loader import resolve_task_file_sandbox
        from inspect_ai._eval.task import PreviousTask

        spec = self.header.eval
        return PreviousTask(
            id=spec.task_id,
            task=task,
            task_args=dict(args),
            model=model,
            model_roles=dict(roles) if roles else None,
            sandbox=resolve_task_file_sandbox(str(source) if source else spec.task_file, spec.sandbox),
            log=self.header,
            log_info=self.info,
        )


def find_earlier(folder: Path) -> Earlier | None:
    """The newest log in `folder`; None where there is none. Raises StepError for one that cannot be read."""
    if not folder.is_dir():
        return None
    infos = list_eval_logs(str(folder), formats=["eval"], recursive=False)
    return max(map(_opened, infos), key=lambda one: one.header.eval.created, default=None)


def _opened(info: EvalLogInfo) -> Earlier:
    try:
        return Earlier(info, read_eval_log(info, header_only=True))
    except Exception as error:
        raise StepError(
            f"{info.name} is no log that Inspect can read ({type(error).__name__}: {error}); remove it, then run again "
            "(what only this log holds is asked again)"
        ) from error


def remove_others(folder: Path, kept: str) -> None:
    """Remove the logs of killed runs, whose samples `kept` (path or address of the complete log) has too."""
    name = kept.rpartition("/")[2]
    for path in folder.glob("*.eval"):
        if path.name != name:
            path.unlink()
