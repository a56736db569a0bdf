"""The pages in a real browser: the keyboard is enough, and nothing that a model wrote runs."""

import time
from pathlib import Path

import pytest

from midspec.evals.reasoning.audit import PAGE, draw, read_key, read_sheet, write_sheet
from midspec.evals.reasoning.pages import quotes_page
from midspec.evals.reasoning.results import Results
from tests.chromium import Page, find_chromium
from tests.unit.evals.reasoning_samples import THEMES, labels, said

EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
KEY = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{0}', bubbles: true}}))"
ANSWERS = "[...document.querySelectorAll('input:checked')].map((one) => one.name + one.value).join()"


def wait_for(page: Page, condition: str) -> None:
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.browser
def test_the_sheet_is_filled_in_by_keys_and_keeps_its_answers(tmp_path: Path) -> None:
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium on the PATH")
    rows = [labels(f"t{n}", shows=["goal"] if n % 2 else ["trust"]) for n in range(8)]
    texts = {row.transcript: said(f"0123456789 {EVIL} tail").model_copy(update={"id": row.transcript}) for row in rows}
    table = {"lines": [], "differences": [], "comparisons": 0, "transcripts": {"base": 8}}
    results = Results(texts, rows, THEMES, table, "x/y", None, None, {})
    write_sheet(draw(results, 4, 0, ["goal"]), tmp_path / "audit")
    (tmp_path / "quotes.html").write_text(quotes_page(results), encoding="utf-8")
    with Page(executable, tmp_path / "profile") as page:
        page.open(tmp_path / "audit" / PAGE, width=400, scheme="light")
        for key in ("j", "y", "n", "u"):
            page.evaluate(KEY.format(key))
        assert page.evaluate(ANSWERS) == "r0001yes,r0002no,r0003unclear"
        assert page.evaluate("document.getElementById('state').textContent") == "3 of 4 answered"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") is True
        page.open(tmp_path / "audit" / PAGE, width=400, scheme="dark")
        assert page.evaluate(ANSWERS) == "r0001yes,r0002no,r0003unclear", "a closed tab loses nothing"
        page.evaluate(
            "URL.createObjectURL = (blob) => { blob.text().then((text) => window.saved = text); return 'data:,'; }"
        )
        page.evaluate("HTMLAnchorElement.prototype.click = () => {}")
        page.evaluate("document.getElementById('save').click()")
        wait_for(page, "window.saved !== undefined")
        saved = tmp_path / "saved.csv"
        saved.write_text(page.evaluate("window.saved"), encoding="utf-8")
        assert read_sheet(saved, read_key(tmp_path / "audit")) == {"r0001": True, "r0002": False}
        assert page.evaluate("window.hacked") is None
        assert page.complaints() == []
        page.open(tmp_path / "quotes.html", width=400, scheme="light")
        assert page.evaluate("window.hacked") is None
        assert page.complaints() == [] and page.requests() == []
