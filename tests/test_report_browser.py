"""The report in a real browser: nothing fails, nothing overflows, all can be read in both themes and on paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from midspec.report.html import write_report
from tests.chromium import NAMES, Page, find_chromium
from tests.unit.report.design_results import design_results, few_figures
from tests.unit.report.sample_results import ARMS, sample_results

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason=f"no Chromium on the PATH (looked for {', '.join(NAMES)})"),
]

WIDTHS = (400, 768, 1280)
THEMES = ("light", "dark")

OPEN_ALL = "document.querySelectorAll('details').forEach(entry => entry.open = true)"

FAINT = """(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest("title") || !element.getClientRects().length) continue;
    seen += 1;
    const style = getComputedStyle(element);
    const [x, y] = [parse(element.closest("svg") ? style.fill : style.color), ground(element)].map(luminance);
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    if (ratio < 4.5) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return { faint, seen };
})()"""

SMALL = """[...document.querySelectorAll('.panel svg')].map((svg) => {
  const box = svg.getBoundingClientRect();
  const text = svg.querySelector('text').getBoundingClientRect();
  return [box.width, box.height, text.width, text.height];
})"""

OUTSIDE = """[...document.querySelectorAll('body *')].filter((element) => {
  if (element.closest('.scroll, pre') || element.closest('.skip') || element.closest('svg')) return false;
  const box = element.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map((element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    executable = find_chromium()
    assert executable is not None
    with Page(executable, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(sample_results(), tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a page can have, and 60 arms."""
    results = design_results()
    more = {f"{name}-{at}": arm for at in range(9) for name, arm in results.arms.items()}
    results = results.model_copy(update={"arms": {**results.arms, **more}})
    path = tmp_path_factory.mktemp("large") / "report.html"
    return write_report(results, path, figures=few_figures(results))


@pytest.mark.parametrize("theme", THEMES)
def test_a_large_page_fits_a_phone_and_can_be_read(browser: Page, large: Path, theme: str) -> None:
    browser.open(large, width=400, scheme=theme)
    browser.evaluate(OPEN_ALL)
    assert browser.evaluate("document.documentElement.scrollWidth") == 400
    assert browser.evaluate(OUTSIDE) == []
    answer = browser.evaluate(FAINT)
    assert answer["faint"] == [] and answer["seen"] > 1000
    grounds = "[...document.querySelectorAll('.heat td')].map((cell) => getComputedStyle(cell).backgroundColor)"
    assert len(set(browser.evaluate(grounds))) > 4, "shades differ"
    assert browser.evaluate(
        "[...document.querySelectorAll('.heat td')].every((cell) => /\\d|–/.test(cell.textContent))"
    )
    assert browser.complaints() == []


def test_the_filter_leaves_the_arms_whose_names_have_the_words(browser: Page, large: Path) -> None:
    browser.open(large, width=1280, scheme="light")
    shown = (
        "[...document.querySelectorAll('table.arms')].map((table) =>"
        "[...table.tBodies[0].rows].filter((row) => row.getClientRects().length).length)"
    )
    assert browser.evaluate(shown) == [10 * len(ARMS)]
    browser.evaluate("document.querySelector('#filter input').focus()")
    browser.call("Input.insertText", text="aft AMERICA")
    assert browser.evaluate(shown) == [10]
    assert "rows of all tables" in browser.evaluate("document.querySelector('#filter [role=status]').textContent")
    browser.evaluate("document.querySelector('#filter input').select()")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Delete", code="Delete", windowsVirtualKeyCode=46)
    assert browser.evaluate(shown) == [10 * len(ARMS)]


def test_few_arms_need_no_filter(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    assert browser.evaluate("document.querySelectorAll('#filter').length") == 0


def test_methods_and_references_can_be_copied(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    browser.click("document.querySelectorAll('.copy')[1]")
    told = browser.wait("document.querySelectorAll('.copied [role=status]')[1].textContent")
    assert told.strip().startswith(("copied", "selected"))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_logs_nothing_and_fetches_nothing(browser: Page, report: Path, width: int, theme: str) -> None:
    browser.open(report, width=width, scheme=theme)
    browser.evaluate(OPEN_ALL)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate(OUTSIDE) == []
    assert browser.complaints() == []
    assert browser.requests() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_figures_have_a_size_and_text_that_can_be_read(browser: Page, report: Path, width: int) -> None:
    browser.open(report, width=width, scheme="light")
    sizes = browser.evaluate(SMALL)
    assert len(sizes) == 12
    for drawn_width, drawn_height, text_width, text_height in sizes:
        assert 300 <= drawn_width <= width and drawn_height > 100
        assert text_width > 3 and text_height >= 10


@pytest.mark.parametrize("theme", THEMES)
def test_all_text_contrasts_with_its_ground(browser: Page, report: Path, theme: str) -> None:
    browser.open(report, width=1280, scheme=theme)
    browser.evaluate(OPEN_ALL)
    answer = browser.evaluate(FAINT)
    assert answer["seen"] > 500
    assert answer["faint"] == []
    dark = browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    assert dark == (theme == "dark")


def test_the_labels_of_a_figure_stay_inside_it(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    spilled = browser.evaluate(
        "[...document.querySelectorAll('.panel svg')].flatMap((svg) => { const box = svg.getBoundingClientRect();"
        "return [...svg.querySelectorAll('text')].filter((text) => { const at = text.getBoundingClientRect();"
        "return at.left < box.left - 4 || at.right > box.right + 4; }).map((text) => text.textContent); })"
    )
    assert spilled == []


def test_without_script_everything_is_there(browser: Page, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report, width=1280, scheme="light")
        assert browser.evaluate("document.querySelectorAll('table').length") > 5
        assert browser.evaluate("document.querySelectorAll('.tools, th button').length") == 0
        assert browser.evaluate("document.querySelector('.finding').getBoundingClientRect().height") > 20
        assert browser.complaints() == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_table_sorts_by_number_and_says_so(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    first = "document.querySelector('table.arms tbody tr th').textContent"
    button = "document.querySelectorAll('table.arms thead th.first button')[0]"
    assert browser.evaluate(first) == "baseline"
    browser.evaluate(f"{button}.click()")
    assert browser.evaluate(first) == "msm-affordability+aft"
    assert browser.evaluate(f"{button}.parentElement.getAttribute('aria-sort')") == "descending"
    browser.evaluate(f"{button}.click()")
    assert browser.evaluate(first) == "baseline"
    # The column of the other evaluation, so that header and body columns are known to agree.
    browser.evaluate("document.querySelectorAll('table.arms thead th.first button')[1].click()")
    assert browser.evaluate(first) == "msm-america+aft"


def test_the_theme_can_be_chosen_against_the_system(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    light = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    browser.evaluate("[...document.querySelectorAll('.tools button')].at(-1).click()")
    dark = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light, dark) == ("rgb(253, 253, 252)", "rgb(21, 23, 26)")
    browser.evaluate("[...document.querySelectorAll('.tools button')].at(-1).click()")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_paper_is_white_and_shows_closed_details(browser: Page, report: Path, tmp_path: Path) -> None:
    browser.open(report, width=720, scheme="dark", media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate(
        "[...document.querySelectorAll('details')].every((entry) => entry.lastElementChild.checkVisibility())"
    )
    browser.pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_keys_reach_every_control_and_show_where_they_are(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    reached: list[str] = []
    for _ in range(20):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        browser.call("Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(
            browser.evaluate(
                "(() => { const at = document.activeElement; const style = getComputedStyle(at);"
                "return `${at.tagName} ${at.textContent.trim().slice(0, 24)} ${style.outlineStyle}`; })()"
            )
        )
    assert reached[0].startswith("A Skip to the results")
    assert any(entry.startswith("BUTTON Light or dark") for entry in reached)
    assert any(entry.startswith("DIV") for entry in reached), "the wide table can be scrolled with the keys"
    assert all(entry.endswith("solid") for entry in reached), reached
