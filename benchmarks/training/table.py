"""What the rounds of one comparison came to, as lines of text."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.gemm import Ceiling
from benchmarks.training.arithmetic import Matrices, Method, flops
from benchmarks.training.running import OURS, Round


class Compared(NamedTuple):
    """Medians over rounds."""

    ratios: dict[str, float]
    """Trainer -> how often our speed is its speed."""
    share: float
    """Of the ceiling of matrix products that our products reach."""
    lines: list[str]


def compared(
    found: Mapping[str, Sequence[Round]], ceilings: Sequence[Ceiling], weights: Matrices, method: Method
) -> Compared:
    """Ratios are taken within a round, and so is the share."""
    ours = found[OURS]
    ratios: dict[str, float] = {}
    lines: list[str] = []
    for name, rounds in found.items():
        pairs = list(zip(ours, rounds, strict=True))
        ratios[name] = median(own.speed / other.speed for own, other in pairs)
        by_core = median(own.core_speed / other.core_speed for own, other in pairs)
        one = Round(*(median(values) for values in zip(*rounds, strict=True)))
        lines.append(
            f"  {name:16}{one.speed:6,.0f} tokens/s, ratio {ratios[name]:.2f};{one.core_speed:6,.0f} per processor "
            f"second, ratio {by_core:.2f}; {one.peak_gb:.2f} GB; updates of {one.tokens:,.0f} tokens; "
            f"loss {one.loss:.3f} over {one.trained:.0%} of them"
        )
    work = [flops(weights, method, one.trained) for one in ours]
    shares = [one.speed * each / 1e9 / top.wall for one, each, top in zip(ours, work, ceilings, strict=True)]
    by_core = [one.core_speed * each / 1e9 / top.core for one, each, top in zip(ours, work, ceilings, strict=True)]
    wall, core = (median(values) for values in zip(*ceilings, strict=True))
    lines.append(
        f"  {median(work) / 1e6:,.0f} MFLOP a token: {median(shares):.2f} of a product's {wall:,.0f} GFLOP/s; "
        f"{median(by_core):.2f} of its {core:,.0f} per processor second"
    )
    return Compared(ratios, median(shares), lines)


def summary(result: Compared | None) -> str:
    """The last line; None where LoRA midtraining in sequences of 512 was not among what was asked for."""
    known = {} if result is None else {**result.ratios, "share": result.share}

    def said(name: str) -> str:
        return f"{known[name]:.2f}" if name in known else "not measured"

    return (
        f"ratio to TRL {said('TRL')}, ratio to LLaMA-Factory {said('LLaMA-Factory')}, "
        f"share of GEMM ceiling {said('share')}"
    )
