"""Training loss, one panel per stage."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from midspec.report.figures import Panel
from midspec.report.labels import MOST_LABELS, End, name_ends
from midspec.report.labels import WIDTH as LABEL_WIDTH
from midspec.report.palette import NO_SPEC, SENTINELS, Family, families
from midspec.report.results import Curve, Results
from midspec.report.svg import FONT_SIZE, Drawing, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 416.0
HEIGHT = 236.0
STAGES = {"midtrain": "Midtraining", "finetune": "Fine-tuning"}

MOST_POINTS = 240
"""Points drawn per curve: two pixels each say all that a curve of this width can."""

_SEED = re.compile(r"(?:, |-)seed ?\d+$")


def curve_panels(results: Results) -> list[Panel]:
    """Loss by update; no panel for a stage without points."""
    looks = _looks(results)
    panels: list[Panel] = []
    for kind, title in STAGES.items():
        curves = [curve for curve in results.curves if curve.kind == kind and curve.points]
        if curves:
            panels.append(Panel(title, _panel(curves, looks, prefix=f"loss-{kind}", title=title)))
    return panels


def curve_name(curve: Curve) -> str:
    """Stage and label, e.g. `midtrain affordability-seed0`."""
    return curve.label if curve.label.startswith(curve.kind) else f"{curve.kind} {curve.label}"


def losses(curve: Curve) -> list[tuple[int, float]]:
    """At most five points spread over the curve, first and last among them, for its table."""
    return _thinned(curve.points, 5)


def _looks(results: Results) -> dict[str, Family]:
    """Step -> look of the spec its weights were midtrained on, found through the arms that descend from it."""
    by_spec = families(results)
    specs: dict[str, str | None] = {}
    for arm in results.arms.values():
        for checkpoint in arm.seeds:
            for parent in checkpoint.parents:
                # A shared parent (the same fine-tuning start) keeps the first arm's spec.
                specs.setdefault(parent, arm.msm)
    return {curve.step: by_spec.get(specs.get(curve.step.rpartition("-")[2]), NO_SPEC) for curve in results.curves}


def _thinned(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    if len(points) <= most:
        return list(points)
    last = len(points) - 1
    return [points[round(index * last / (most - 1))] for index in range(most)]


def _panel(curves: Sequence[Curve], looks: Mapping[str, Family], *, prefix: str, title: str) -> Drawing:
    labelled = len(curves) <= MOST_LABELS
    right = LABEL_WIDTH if labelled else 12.0

    def paint(axes: Axes) -> Mapping[str, str]:
        from matplotlib.ticker import MaxNLocator

        axes.spines["left"].set_visible(True)
        axes.grid(axis="y", color=SENTINELS["rule"], linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("update", fontsize=FONT_SIZE - 1)
        axes.set_ylabel("loss, nats per token", fontsize=FONT_SIZE - 1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        tips: dict[str, str] = {}
        for index, curve in enumerate(curves):
            points = _thinned(curve.points, MOST_POINTS)
            gid = f"{prefix}-{index}"
            axes.plot(
                [update for update, _ in points],
                [loss for _, loss in points],
                color=SENTINELS[looks[curve.step].tone],
                linewidth=1.5,
                # Lines of one colour differ in their dashes.
                linestyle=("-", (0, (5, 2)), (0, (1.5, 1.5)))[_rank(curves, looks, index) % 3],
                marker="o" if len(points) == 1 else "",
                gid=gid,
            )
            tips[gid] = f"{curve_name(curve)}: last loss {points[-1][1]:.3f} at update {points[-1][0]:,}"
        axes.margins(x=0.02, y=0.08)
        if labelled:
            names = _names([curve.label for curve in curves])
            ends = [
                End(curve.points[-1][1], name, looks[curve.step].tone)
                for curve, name in zip(curves, names, strict=True)
            ]
            name_ends(axes, ends, HEIGHT - 50)
        return tips

    ends = "; ".join(f"{curve_name(curve)}: {curve.points[0][1]:.3f} to {curve.points[-1][1]:.3f}" for curve in curves)
    return draw(
        paint,
        width=WIDTH,
        height=HEIGHT,
        margins=(52, right, 8, 42),
        prefix=prefix,
        label=f"{title}: training loss, first to last. {ends}",
    )


def _rank(curves: Sequence[Curve], looks: Mapping[str, Family], index: int) -> int:
    tone = looks[curves[index].step].tone
    return sum(looks[curve.step].tone == tone for curve in curves[:index])


def _names(labels: Sequence[str]) -> list[str]:
    """Labels without what all of a panel share: the stage in front, the seed behind."""
    short = [label.removeprefix("midtrain ").removeprefix("finetune ") for label in labels]
    seeds = {match[0] if (match := _SEED.search(name)) else None for name in short}
    return [_SEED.sub("", name) for name in short] if len(seeds) == 1 else short
