"""From a Matplotlib drawing to SVG that lives inside the report: themed, small, the same bytes every time."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from midspec.report.palette import SENTINELS, TONES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT_SIZE = 11.0
"""Pixels, at the drawing's natural width."""

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "midspec",
    "pdf.fonttype": 42,
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

_ON_PAPER = {stand_in: TONES[name].light for name, stand_in in SENTINELS.items()}
_VARIABLE = re.compile(r"var\(--([\w-]+)\)")
_NAMESPACE = re.compile(r"^\{[^}]*\}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# Matplotlib 3.10 writes one `font`, 3.11 its parts.
_FONT = re.compile(r"font: (?:(\d+) )?([\d.]+)px [^;]*;?\s*")
_FAMILY = re.compile(r"font-family: [^;]*;?\s*")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")


class Frame(NamedTuple):
    """Where a drawing stands: pixels at natural size."""

    width: float
    height: float
    margins: tuple[float, float, float, float]
    """Left, right, top, bottom."""


Paint = Callable[["Axes"], Mapping[str, str]]
"""Draws on the axes and returns tooltips by `gid`."""


class Drawing(str):
    """An inline `<svg>` of the page; `standalone` and `as_pdf` are the same for print, in the colours of paper."""

    frame: Frame
    paint: Paint

    @classmethod
    def of(cls, source: str, frame: Frame, paint: Paint) -> Drawing:
        """The SVG with what it was drawn from."""
        made = cls(source)
        made.frame, made.paint = frame, paint
        return made

    def __html__(self) -> str:
        """Templates take it as it is: it was escaped when it was serialised."""
        return str(self)

    @property
    def standalone(self) -> str:
        """An SVG file: colours and font written out."""
        source = _VARIABLE.sub(lambda match: TONES[match[1]].light, self)
        size = f'width="{self.frame.width:g}" height="{self.frame.height:g}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="DejaVu Sans, Arial, sans-serif" '
        return source.replace("<svg ", head, 1) + "\n"


def as_pdf(drawings: Sequence[Drawing]) -> bytes:
    """One PDF file, a page a drawing, with embedded fonts; no date, so that the same results give the same bytes."""
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = io.BytesIO()
    metadata: Any = {"CreationDate": None, "Creator": None, "Producer": None}
    with (
        _styled({name: _printed(value) for name, value in _STYLE.items()}),
        PdfPages(buffer, metadata=metadata) as pages,
    ):
        for drawing in drawings:
            figure, _ = _figure(drawing.frame, drawing.paint)
            _recolour(figure)
            pages.savefig(figure)
    return buffer.getvalue()


def draw(
    paint: Paint,
    *,
    width: float,
    height: float,
    margins: tuple[float, float, float, float],
    prefix: str,
    label: str,
) -> Drawing:
    """An inline `<svg>`; `paint` draws on the axes and returns tooltips by `gid`.

    `width`, `height` and `margins` (left, right, top, bottom) are pixels at natural size. `prefix` keeps ids apart in
    one page; `label` is what a screen reader says.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    frame = Frame(width, height, margins)
    with _styled(_STYLE):
        figure, tips = _figure(frame, paint)
        buffer = io.BytesIO()
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return Drawing.of(_inline(buffer.getvalue(), prefix=prefix, label=label, tips=tips), frame, paint)


@contextmanager
def _styled(style: Mapping[str, Any]) -> Generator[None]:
    import matplotlib as mpl

    every: Any = {**mpl.rcParamsDefault, **style}
    with mpl.rc_context(every), warnings.catch_warnings():
        # Only the reader's browser draws the glyphs; that DejaVu lacks some of them is no concern here.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def _figure(frame: Frame, paint: Paint) -> tuple[Figure, Mapping[str, str]]:
    from matplotlib.figure import Figure

    width, height = frame.width, frame.height
    left, right, top, bottom = frame.margins
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )
    axes.patch.set_visible(False)
    return figure, paint(axes)


def _printed(value: Any) -> Any:
    """A role's stand-in as the colour it has on paper; anything else as it is."""
    return _ON_PAPER.get(value, value) if isinstance(value, str) else value


def _recolour(figure: Figure) -> None:
    """Give everything that was drawn in a stand-in the colour of its role on paper."""
    from matplotlib.colors import to_hex

    for artist in figure.findobj():
        for name in ("color", "markerfacecolor", "markeredgecolor", "facecolor", "edgecolor"):
            read, write = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
            if read is None or write is None:
                continue
            colour = read()
            if isinstance(colour, str | tuple) and colour not in ("none", "auto"):
                wanted = _ON_PAPER.get(to_hex(colour))
                if wanted is not None:
                    write(wanted)


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
