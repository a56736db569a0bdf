"""What each update of a peer's training was. Beside the scripts that use it, whose environments have no midspec."""

import resource
import time
from typing import Any

import torch
from transformers import TrainerCallback

IGNORED = -100


class Clock(TrainerCallback):
    """Notes every update: seconds, processor time, loss, tokens that are not padding, and those of them that train."""

    def __init__(self) -> None:
        self.begun, self.worked_before = 0.0, 0.0
        self.seconds: list[float] = []
        self.worked: list[float] = []
        self.losses: list[float] = []
        self.tokens: list[torch.Tensor] = []
        self.trained: list[torch.Tensor] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        given["model"].register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _module: Any, _args: Any, given: dict[str, Any]) -> None:
        labels, mask = given["labels"], given.get("attention_mask")
        # Numbers stay where they are, so that nobody waits for them while the clock runs. Without a mask, sequences
        # are laid end to end, and nothing is padded.
        self.tokens.append(given["input_ids"].new_tensor(given["input_ids"].numel()) if mask is None else mask.sum())
        self.trained.append((labels[:, 1:] != IGNORED).sum())

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._wait()
        self.begun, self.worked_before = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._wait()
        self.seconds.append(time.perf_counter() - self.begun)
        self.worked.append(time.process_time() - self.worked_before)

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if "loss" in given["logs"]:
            self.losses.append(float(given["logs"]["loss"]))

    def result(self) -> dict[str, Any]:
        """One forward pass to an update is what all orders ask for."""
        assert len(self.tokens) == len(self.seconds) == len(self.losses), "passes, updates and losses do not match"
        return {
            "tokens": [int(count) for count in self.tokens],
            "trained": [int(count) for count in self.trained],
            "seconds": self.seconds,
            "worked": self.worked,
            "losses": self.losses,
            "peak_gb": (
                torch.cuda.max_memory_allocated() / 1e9
                if torch.cuda.is_available()
                else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            ),
        }

    @staticmethod
    def _wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
