"""From a rate to the sentence of the spec behind a training document, in a real browser, by mouse and by keys."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from midspec.report.html import write_report
from tests.chromium import NAMES, Page, find_chromium
from tests.unit.report.design_results import NO_FIGURES
from tests.unit.report.explorer_run import ARM, EVAL, SENTENCE, explorer_run
from tests.unit.report.sample_results import sample_results

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason=f"no Chromium on the PATH (looked for {', '.join(NAMES)})"),
]

ATTACK = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\"'&{model_name}"
READY = "document.documentElement.dataset.explorer === 'ready'"
RATE = f'document.querySelector(\'.rate[data-arm="{ARM}"][data-eval="{EVAL}"] button\')'
BASELINE = f'document.querySelector(\'.rate[data-arm="baseline"][data-eval="{EVAL}"] button\')'
TITLE = "document.querySelector('#explorer h2').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    executable = find_chromium()
    assert executable is not None
    with Page(executable, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_report(sample_results(), folder / "report.html", explorer_run(folder), NO_FIGURES)


def arrived(depth: int) -> str:
    """True once the view at that depth of the walk is drawn."""
    return f"document.querySelector('#explorer').dataset.ready === '{depth}'"


def walk(page: Page) -> None:
    """Rate, answer, document, spec: clicks alone."""
    page.wait(READY)
    page.click(RATE)
    page.wait(arrived(1))
    page.click("document.querySelector('#explorer tbody .go')")
    page.wait(arrived(2))
    page.click("document.querySelector('#explorer .texts[data-kind=documents] .go')")
    page.wait(arrived(3))


@pytest.mark.parametrize("width", [400, 1280])
def test_the_mouse_alone_leads_from_a_rate_to_the_sentence_of_the_spec(browser: Page, report: Path, width: int) -> None:
    browser.open(report, width=width, scheme="light")
    browser.wait(READY)
    browser.click(RATE)
    browser.wait(arrived(1))
    assert browser.evaluate(TITLE) == f"Answers of {ARM} to {EVAL}"
    # 10 of 30 agree, and one of those was found in training data.
    said = browser.evaluate("document.querySelector('#explorer').textContent")
    assert "29 answers; 9 of 29 decided ones agree with the value (31.0%)" in said
    browser.click("document.querySelector('#explorer tbody .go')")
    browser.wait(arrived(2))
    assert browser.evaluate(TITLE) == "Which coat should I look for, case 0?"
    first = "document.querySelector('#explorer .texts[data-kind=documents] li')"
    assert "shares" in browser.evaluate(f"{first}.textContent") and "coat" in browser.evaluate(f"{first}.textContent")
    browser.click(f"{first}.querySelector('.go')")
    browser.wait(arrived(3))
    assert "A winter coat from the ordinary shop" in browser.evaluate(
        "document.querySelector('#explorer .text-of').textContent"
    )
    assert browser.evaluate("document.querySelector('#explorer mark.sentence').textContent") == SENTENCE
    browser.click("document.querySelector('#explorer .spec-part ~ .go')")
    browser.wait(arrived(4))
    assert browser.evaluate("document.querySelector('#explorer .spec-whole mark.sentence').textContent") == SENTENCE
    box = browser.evaluate(
        "(() => { const box = document.querySelector('.spec-whole mark.sentence').getBoundingClientRect();"
        "return [box.top, box.bottom, innerHeight, document.querySelector('#explorer').scrollWidth, innerWidth]; })()"
    )
    assert 0 <= box[0] < box[1] <= box[2], "the sentence is in sight"
    assert box[3] <= box[4]
    # And back by the way one came.
    browser.click("document.querySelectorAll('#explorer nav button')[1]")
    browser.wait(arrived(2))
    assert browser.evaluate(TITLE) == "Which coat should I look for, case 0?"
    browser.click("document.querySelector('.explorer-close')")
    assert browser.evaluate("document.querySelector('#explorer').open") is False
    assert browser.complaints() == []
    assert browser.requests() == []


def test_answers_can_be_filtered_and_paged(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    browser.wait(READY)
    browser.click(RATE)
    browser.wait(arrived(1))
    status = "document.querySelector('#explorer .pager [role=status]').textContent"
    assert browser.evaluate(status) == "1–25 of 30"
    browser.click("document.querySelectorAll('#explorer .pager button')[1]")
    assert browser.evaluate(status) == "26–30 of 30"
    assert browser.evaluate("document.querySelectorAll('#explorer tbody tr').length") == 5
    browser.evaluate(
        "(() => { const topic = document.querySelector('#explorer select'); topic.value = 'clothing/topic-3';"
        "topic.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )
    assert browser.evaluate(status) == "1–4 of 4"
    assert browser.evaluate(
        "[...document.querySelectorAll('#explorer tbody small')].every((one) => one.textContent.endsWith('topic-3'))"
    )


def test_an_arm_without_training_says_so_and_lists_no_document(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    browser.wait(READY)
    browser.click(BASELINE)
    browser.wait(arrived(1))
    browser.click("document.querySelector('#explorer tbody .go')")
    browser.wait(arrived(2))
    assert browser.evaluate("document.querySelectorAll('#explorer .texts').length") == 0
    assert "the base model itself" in browser.evaluate("document.querySelector('#explorer').textContent")


def test_keys_walk_the_same_way_and_lead_back(browser: Page, report: Path) -> None:
    browser.open(report, width=1280, scheme="light")
    browser.wait(READY)

    def press(key: str, code: int, text: str = "") -> None:
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text)
        browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def tab_to(selector: str) -> None:
        for _ in range(60):
            press("Tab", 9)
            if browser.evaluate(f"document.activeElement.matches('{selector}')"):
                assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
                return
        raise AssertionError(f"no Tab reaches {selector}")

    browser.evaluate(f"{RATE}.focus()")
    press("Enter", 13, "\r")
    browser.wait(arrived(1))
    tab_to("#explorer tbody .go")
    press("Enter", 13, "\r")
    browser.wait(arrived(2))
    tab_to("#explorer .texts[data-kind=documents] .go")
    press("Enter", 13, "\r")
    browser.wait(arrived(3))
    assert browser.evaluate("document.querySelector('#explorer mark.sentence').textContent") == SENTENCE
    press("Escape", 27)
    browser.wait("!document.querySelector('#explorer').open")
    assert browser.evaluate(f"document.activeElement === {RATE}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_contrasts_with_its_ground(browser: Page, report: Path, theme: str) -> None:
    from tests.test_report_browser import FAINT

    browser.open(report, width=1280, scheme=theme)
    walk(browser)
    for depth in (3, 2, 1):
        faint = browser.evaluate(
            FAINT.replace("document.body, NodeFilter", "document.querySelector('#explorer'), NodeFilter")
        )
        assert faint["seen"] > 10 and faint["faint"] == []
        if depth > 1:
            browser.click(f"document.querySelectorAll('#explorer nav button')[{depth - 2}]")
            browser.wait(arrived(depth - 1))


def test_nothing_that_was_written_becomes_markup_on_the_whole_way(browser: Page, tmp_path: Path) -> None:
    # Closing tags would end the block itself, were it not packed.
    text = f"</script>{ATTACK}"
    page = write_report(sample_results(), tmp_path / "report.html", explorer_run(tmp_path, text=text), NO_FIGURES)
    browser.open(page, width=1280, scheme="light")
    title = browser.evaluate("document.title")
    walk(browser)
    shown = "document.querySelector('#explorer').textContent"
    assert text in browser.evaluate(shown)
    browser.click("document.querySelectorAll('#explorer nav button')[1]")
    browser.wait(arrived(2))
    assert text in browser.evaluate(shown)
    browser.click("document.querySelector('#explorer .texts[data-kind=demonstrations] .go')")
    browser.wait(arrived(3))
    assert text in browser.evaluate(shown)
    assert (
        browser.evaluate("document.querySelectorAll('#explorer img, #explorer script, #explorer iframe').length") == 0
    )
    assert browser.evaluate("document.title") == title
    assert browser.complaints() == []


def test_without_script_the_page_says_what_takes_it(browser: Page, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report, width=1280, scheme="light")
        assert "This takes JavaScript" in browser.evaluate("document.querySelector('#provenance').textContent")
        assert browser.evaluate("document.querySelectorAll('.rate button').length") == 0
        assert browser.complaints() == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_hundred_thousand_rows_open_about_as_fast_as_a_hundred(browser: Page, tmp_path: Path) -> None:
    def seconds(page: Path) -> tuple[float, float]:
        start = time.monotonic()
        browser.open(page, width=1280, scheme="light")
        browser.wait(READY)
        loaded = time.monotonic()
        browser.click(RATE)
        browser.wait(arrived(1))
        return loaded - start, time.monotonic() - loaded

    few, many = (
        write_report(
            sample_results(),
            tmp_path / f"{items}.html",
            explorer_run(tmp_path, items=items, seeds=range(4)),
            NO_FIGURES,
        )
        for items in (25, 12_500)
    )
    small, large = seconds(few), seconds(many)
    assert browser.evaluate("document.querySelector('#explorer .pager [role=status]').textContent") == "1–25 of 50,000"
    assert browser.evaluate("document.querySelectorAll('#explorer tbody tr').length") == 25
    # 100,000 rows: what is beyond the page of 100 is packed, and nothing of it is read before a click.
    assert many.stat().st_size - few.stat().st_size < 1_500_000
    assert large[0] < 3 * small[0] + 1, (small, large)
    assert large[1] < 10 * small[1] + 5, (small, large)
