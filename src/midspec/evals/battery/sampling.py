"""Free answers and written letters of the model under test, each on disk as soon as it is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from midspec.errors import StepError
from midspec.evals.sampling import Asked, Keeper, Sampled, Sampling, ask
from midspec.steps.step import Context

if TYPE_CHECKING:
    from inspect_ai.model import Model


def sampled(
    context: Context, model: Model, prompts: Mapping[str, str], settings: Sampling, name: str
) -> dict[tuple[str, int], Sampled]:
    """(id of the prompt, sample) -> answer, of those that an earlier run kept in `NAME.jsonl` and all others.

    `prompts`: id -> the user's message. What a provider could not be brought to answer is missing from it. Raises
    StepError where that is everything, and where a local model fails.
    """
    kept = Keeper(context.folder / f"{name}.jsonl")
    asked = [Asked(key, prompt, {"part": key.rpartition("/")[0] or key}) for key, prompt in prompts.items()]
    ask(context, model, asked, settings, kept, name)
    if prompts and not kept.found:
        raise StepError(f"{name}: the model answered no prompt; see the Inspect logs in the step's folder")
    return kept.found
