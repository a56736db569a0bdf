"""What this machine's matrix products reach: the ceiling that trainings are held against."""

import statistics
import time
from typing import NamedTuple

import torch

TIMES = 5
"""Products in a row, per measurement."""
MEASUREMENTS = 3


class Ceiling(NamedTuple):
    """GFLOP a second, over all threads."""

    wall: float
    core: float
    """A second of processor time."""


def ceiling(dtype: torch.dtype, size: int = 2048, device: str = "cpu") -> Ceiling:
    """Of a square matrix product: the median of some measurements, after a warm-up."""
    left, right = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    torch.mm(left, right)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    seen: list[Ceiling] = []
    work = TIMES * 2 * size**3 / 1e9
    for _ in range(MEASUREMENTS):
        wait()
        begun, before = time.perf_counter(), time.process_time()
        for _ in range(TIMES):
            torch.mm(left, right)
        wait()
        seen.append(Ceiling(work / (time.perf_counter() - begun), work / (time.process_time() - before)))
    return Ceiling(*(statistics.median(values) for values in zip(*seen, strict=True)))


def gemm(dtype: torch.dtype) -> float:
    """GFLOP a second of wall time."""
    return ceiling(dtype).wall
