"""What each update of a peer's training was. Beside the scripts that use it, whose environments have no midspec."""

import resource
import time

import torch
from transformers import TrainerCallback

IGNORED = -100


class Clock(TrainerCallback):
    """Notes every update: seconds, processor time, loss, tokens that are not padding, and those of them that train."""

    def __init__(self):
        self.begun, self.worked_before = 0.0, 0.0
        self.seconds, self.worked, self.losses = [], [], []
        self.tokens, self.trained = [], []

    def on_train_begin(self, args, state, control, model=None, **_):
        model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _module, _args, given):
        labels, mask = given["labels"], given.get("attention_mask")
        # Numbers stay where they are, so that nobody waits for them while the clock runs. Without a mask, sequences
        # are laid end to end, and nothing is padded.
        self.tokens.append(given["input_ids"].new_tensor(given["input_ids"].numel()) if mask is None else mask.sum())
        self.trained.append((labels[:, 1:] != IGNORED).sum())

    def on_step_begin(self, *_, **__):
        self._wait()
        self.begun, self.worked_before = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        self._wait()
        self.seconds.append(time.perf_counter() - self.begun)
        self.worked.append(time.process_time() - self.worked_before)

    def on_log(self, args, state, control, logs=None, **__):
        if "loss" in (logs or {}):
            self.losses.append(float(logs["loss"]))

    def result(self):
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
    def _wait():
        if torch.cuda.is_available():
            torch.cuda.synchronize()
