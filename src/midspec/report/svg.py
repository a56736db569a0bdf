"""From a Matplotlib drawing to SVG that lives inside the report: themed, small, the same bytes every time."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from midspec.report.palette import SENTINELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT_SIZE = 11.0
"""Pixels, at the drawing's natural width."""

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "midspec",
    # A `$` in an arm's name is a dollar, not mathematics.
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": "DejaVu Sans",
    "font.size": FONT_SIZE,
    "axes.unicode_minus": True,
    "axes.edgecolor": SENTINELS["rule"],
    "axes.labelcolor": SENTINELS["muted"],
    "axes.linewidth": 1.0,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "text.color": SENTINELS["ink"],
    "xtick.color": SENTINELS["rule"],
    "xtick.labelcolor": SENTINELS["muted"],
    "xtick.labelsize": FONT_SIZE - 1,
    "xtick.major.size": 3.0,
    "ytick.color": SENTINELS["rule"],
    "ytick.labelcolor": SENTINELS["muted"],
    "ytick.labelsize": FONT_SIZE - 1,
    "ytick.major.size": 0.0,
    "path.simplify": True,
}

_NAMESPACE = re.compile(r"^\{[^}]*\}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# Matplotlib 3.10 writes one `font`, 3.11 its parts.
_FONT = re.compile(r"font: (?:(\d+) )?([\d.]+)px [^;]*;?\s*")
_FAMILY = re.compile(r"font-family: [^;]*;?\s*")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")


def draw(
    paint: Callable[[Axes], Mapping[str, str]],
    *,
    width: float,
    height: float,
    margins: tuple[float, float, float, float],
    prefix: str,
    label: str,
) -> str:
    """An inline `<svg>`; `paint` draws on the axes and returns tooltips by `gid`.

    `width`, `height` and `margins` (left, right, top, bottom) are pixels at natural size. `prefix` keeps ids apart in
    one page; `label` is what a screen reader says.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    left, right, top, bottom = margins
    style: Any = {**mpl.rcParamsDefault, **_STYLE}
    with mpl.rc_context(style), warnings.catch_warnings():
        # Only the reader's browser draws the glyphs; that DejaVu lacks some of them is no concern here.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        figure.patch.set_visible(False)
        axes = figure.add_axes(
            (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
        )
        axes.patch.set_visible(False)
        tips = paint(axes)
        buffer = io.BytesIO()
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return _inline(buffer.getvalue(), prefix=prefix, label=label, tips=tips)


def _inline(source: bytes, *, prefix: str, label: str, tips: Mapping[str, str]) -> str:
    root = ElementTree.fromstring(source)
    used = _referenced_ids(root)
    for parent in list(root.iter()):
        for child in list(parent):
            if _bare(child.tag) in {"metadata", "style"}:
                parent.remove(child)
    for element in root.iter():
        _clean(element, used=used, prefix=prefix, tips=tips)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label}
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element, *, used: set[str], prefix: str, tips: Mapping[str, str]) -> None:
    element.tag = _bare(element.tag)
    attributes = {_bare(key): value for key, value in element.attrib.items()}
    identity = attributes.pop("id", None)
    if identity in used:
        attributes["id"] = f"{prefix}-{identity}"
    if attributes.get("href", "").startswith("#"):
        attributes["href"] = f"#{prefix}-{attributes['href'][1:]}"
    if "style" in attributes:
        attributes["style"] = _themed(attributes["style"])
    for key in ("d", "x", "y", "transform", "points"):
        if key in attributes:
            attributes[key] = _LONG_DECIMAL.sub(
                lambda match: f"{float(match[0]):.2f}", " ".join(attributes[key].split())
            )
    for key in ("clip-path", "fill", "stroke"):
        if key in attributes:
            attributes[key] = _REFERENCE.sub(lambda match: f"url(#{prefix}-{match[1]})", attributes[key])
    element.attrib = attributes
    if identity is not None and identity in tips:
        title = ElementTree.Element("title")
        title.text = tips[identity]
        element.insert(0, title)


def _themed(style: str) -> str:
    style = _FONT.sub(lambda match: f"font-size:{match[2]}px;font-weight:{match[1] or 400};", style)
    # The page chooses the font; Matplotlib only measured with its own.
    style = _FAMILY.sub("", style)
    for name, colour in SENTINELS.items():
        style = style.replace(colour, f"var(--{name})")
    return style.replace(": ", ":").replace("; ", ";").strip()


def _referenced_ids(root: ElementTree.Element) -> set[str]:
    used: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if _bare(key) == "href":
                used.add(value.removeprefix("#"))
            used.update(_REFERENCE.findall(value))
    return used


def _bare(name: str) -> str:
    return _NAMESPACE.sub("", name)
