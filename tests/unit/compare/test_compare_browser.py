"""The page of a comparison in a real browser: it fits, can be read in both themes, and asks nobody for anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from midspec.compare.compare import compare
from midspec.compare.read import paper
from midspec.report.comparison_page import page
from tests.chromium import NAMES, Page, find_chromium
from tests.test_report_browser import FAINT, OPEN_ALL, OUTSIDE
from tests.unit.compare.paper_runs import agentic

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason=f"no Chromium on the PATH (looked for {', '.join(NAMES)})"),
]

SPILLED = """[...document.querySelectorAll('.panel svg')].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter((text) => {
    const at = text.getBoundingClientRect();
    return at.left < box.left - 4 || at.right > box.right + 4;
  }).map((text) => text.textContent);
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    executable = find_chromium()
    assert executable is not None
    with Page(executable, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rates = {"baseline": 0.66, "aft": 0.4, "msm-philosophy": 0.5, "msm-philosophy+aft": 0.2, "aft.qwen3-32b": 0.4}
    path = tmp_path_factory.mktemp("page") / "agentic.html"
    path.write_text(page(compare(agentic(rates), paper())), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "theme"), [(400, "light"), (1280, "dark")])
def test_it_fits_and_can_be_read(browser: Page, file: Path, width: int, theme: str) -> None:
    browser.open(file, width=width, scheme=theme)
    browser.evaluate(OPEN_ALL)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate(SPILLED) == []
    read = browser.evaluate(FAINT)
    assert read["seen"] > 100
    assert read["faint"] == []
    assert browser.complaints() == []
    assert browser.requests() == []


def test_every_picture_is_told_in_words(browser: Page, file: Path) -> None:
    browser.open(file, width=1280, scheme="light")
    labels = browser.evaluate(
        "[...document.querySelectorAll('.panel svg')].map((svg) => svg.getAttribute('aria-label'))"
    )
    assert any("aft: ours 40.0 [37.0, 43.0], reference 70, differs" in label for label in labels)
    assert all("ours" in label and "reference" in label for label in labels)
