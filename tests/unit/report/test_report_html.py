"""The page: complete, escaped, self-contained, the same every time."""

import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError, StoreError
from midspec.records import ChatExample, Message
from midspec.report.html import even_groups, render, write_report
from midspec.report.methods import methods
from midspec.report.notes import notes
from midspec.report.results import (
    Arm,
    Asked,
    Checkpoint,
    CheckSummary,
    Contrast,
    CorpusHealth,
    CorpusSummary,
    Curve,
    Demonstrations,
    Difference,
    Gate,
    GateFinding,
    Measured,
    Quoted,
    Reasoning,
    Results,
    Score,
    SectionCoverage,
    StepSummary,
    TextPiece,
    Theme,
    ThemeDifference,
    ThemeQuote,
    ThemeShare,
    read_results,
)
from midspec.report.text import measure_table
from tests.unit.report.sample_results import (
    ARMS,
    EVALS,
    contrast,
    corpus,
    curve,
    demonstrations,
    document,
    sample_results,
    score,
)

ATTACK = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, collects elements and visible text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def source() -> str:
    return render(sample_results())


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_every_arm_evaluation_and_difference_is_shown(page: Page) -> None:
    for name in (*ARMS, *EVALS):
        assert name in page.texts or any(name in text for text in page.texts), name
    assert "48.2" in page.text and "[40.9, 55.5]" in page.text
    assert "+18.9" in page.text and "[+13.4, +24.4]" in page.text
    rows = [attributes for attributes in page.named("td") if "data-v" in attributes]
    assert len(rows) > len(ARMS) * len(EVALS)


def test_a_sample_document_stands_beside_its_passage_with_its_provenance(page: Page) -> None:
    doc = sample_results().corpora[0].samples[0]
    assert "The spec says" in page.texts and "The document" in page.texts
    for part in (doc.section, doc.idea, doc.doc_type, f"midspec trace {doc.id}", doc.assertions[0]):
        assert part in page.text, part
    assert any(text == doc.text for text in page.texts)


def test_provenance_is_there_to_repeat_the_run(page: Page) -> None:
    results = sample_results()
    for part in (*results.command, results.fingerprint, results.code["commit"], results.model["sha256"], "2.11.0"):
        assert part in page.text, part
    for step in results.steps:
        assert step.fingerprint in page.texts
    assert results.arms["aft"].seeds[1].checkpoint in page.texts


def test_strings_of_models_and_users_cannot_become_markup() -> None:
    results = sample_results()
    arms = {f"{name}{ATTACK}": arm for name, arm in results.arms.items()}
    doc = document(
        "affordability", ATTACK, 0, text=ATTACK, doc_type=ATTACK, idea=ATTACK, writer=ATTACK, subdomain=ATTACK
    )
    chat = ChatExample(
        id=ATTACK,
        messages=(Message(role="user", content=ATTACK), Message(role="assistant", content=ATTACK)),
        source=ATTACK,
        kind=ATTACK,
        writer=ATTACK,
        seed=0,
    )
    hostile = sample_results(
        name=ATTACK,
        description=ATTACK,
        arms=arms,
        contrasts=[contrast(EVALS[0], next(iter(arms)), ATTACK, 0.1), contrast(ATTACK, "a", "b", 0.1)],
        curves=[curve("midtrain", ATTACK, ATTACK, updates=5, start=2, end=1)],
        corpora=[corpus(ATTACK, samples=[doc], passages={doc.id: ATTACK}, rejected={ATTACK: 1})],
        demonstrations=demonstrations().model_copy(update={"samples": [chat]}),
        gate=Gate(
            checked_items=1,
            checked_rows=1,
            findings=[GateFinding(item=ATTACK, source=ATTACK, row=ATTACK, overlap=ATTACK)],
        ),
        recipe={ATTACK: ATTACK},
        model={"name": ATTACK, ATTACK: {ATTACK: ATTACK}},
        command=[ATTACK],
        notes=[ATTACK],
    )
    page = Page(render(hostile))
    assert len(page.named("script")) == 1
    assert page.named("img") == []
    assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]
    assert sum(text.count(ATTACK) for text in page.texts) > 30


def test_the_page_asks_for_nothing(source: str, page: Page) -> None:
    policy = next(entry["content"] for entry in page.named("meta") if entry.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), attributes
    assert "http://" not in source and "https://" not in source
    assert "@import" not in source and not re.search(r"url\((?!#)", source)


def test_figures_are_named_and_their_ids_do_not_clash(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    drawings = [entry for entry in page.named("svg") if entry.get("class") != "swatch"]
    assert len(drawings) == 3 + 2 + 3 + 2 + 2
    assert all(entry["role"] == "img" and entry["aria-label"] for entry in drawings)
    for attributes in (*page.named("figure"), *page.named("section")):
        assert attributes["aria-labelledby"] in ids


def test_the_same_results_give_the_same_bytes_in_another_process(source: str, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(sample_results().model_dump_json())
    script = (
        "import sys; from pathlib import Path; from midspec.report.html import render; "
        "from midspec.report.results import read_results; "
        "sys.stdout.buffer.write(render(read_results(Path(sys.argv[1]))).encode())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    again = subprocess.run([sys.executable, "-c", script, file], capture_output=True, check=True, env=environment)
    assert again.stdout.decode() == source


def test_the_page_is_small(source: str) -> None:
    assert len(source.encode()) < 2_000_000


def test_nothing_measured_still_renders() -> None:
    arm = sample_results().arms["baseline"]
    bare = sample_results(
        arms={"only": arm.model_copy(update={"evals": {EVALS[0]: score(None, None), EVALS[1]: score(0.4, None)}})},
        contrasts=[],
        curves=[],
        corpora=[],
        demonstrations=None,
        gate=Gate(checked_items=0, checked_rows=0, findings=[]),
        steps=[],
        seconds={},
        notes=[],
        command=[],
        recipe={},
        model={},
        machine={},
        packages={},
        code={},
        split={},
    )
    page = Page(render(bare))
    assert "makes no claim" in page.text and "compares no arms" in page.text and "not measured" not in page.text
    assert notes(bare) == []


def test_an_arm_that_lacks_an_evaluation_and_a_curve_without_points_render() -> None:
    results = sample_results()
    arms = dict(results.arms)
    arms["aft"] = arms["aft"].model_copy(update={"evals": {EVALS[0]: score(None, None)}})
    empty = results.curves[0].model_copy(update={"points": []})
    single = results.curves[-1].model_copy(update={"points": [(1, 2.0)]})
    page = Page(render(sample_results(arms=arms, curves=[empty, single])))
    assert "not measured" in page.text and "none recorded" in page.text


def test_forty_arms_and_twelve_evaluations_render() -> None:
    arm = sample_results().arms["msm-america+aft"]
    evals = [f"preferences/value-{index}" for index in range(12)]
    arms = {
        f"an-arm-with-a-name-that-goes-on-and-on-number-{index}": arm.model_copy(
            update={"msm": f"value-{index}", "evals": {name: score(0.5, 0.1) for name in evals}}
        )
        for index in range(40)
    }
    page = Page(
        render(sample_results(arms=arms, split=dict.fromkeys(evals, "test"), contrasts=[], corpora=[], curves=[]))
    )
    assert all(name in page.text for name in arms)
    tables = [entry for entry in page.named("table") if "arms" in (entry.get("class") or "")]
    assert len(tables) == 4


def test_even_groups_keep_order_and_differ_by_one_at_most() -> None:
    assert even_groups([1, 2, 3, 4], 3) == [[1, 2], [3, 4]]
    assert even_groups([], 3) == []
    for size in range(1, 30):
        groups = even_groups(list(range(size)), 3)
        assert [item for group in groups for item in group] == list(range(size))
        assert max(map(len, groups)) <= 3 and max(map(len, groups)) - min(map(len, groups)) <= 1


def test_results_survive_their_file(tmp_path: Path) -> None:
    results = sample_results()
    file = tmp_path / "results.json"
    file.write_text(results.model_dump_json(indent=1))
    assert read_results(file) == results
    assert render(read_results(file)) == render(results)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(sample_results().model_dump_json().replace('"version":1', '"version":2', 1))
    with pytest.raises(InputError, match=r"version 1: version"):
        read_results(file)


def test_write_report_leaves_no_half_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "new" / "report.html"
    assert write_report(sample_results(), target) == target
    whole = target.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StoreError, match="No space left"):
        write_report(sample_results(name="other"), target)
    assert target.read_bytes() == whole
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


def test_the_offline_writer_is_named_for_what_it_is(page: Page) -> None:
    assert "Written by a program, not by a language model." in page.texts
    assert "say nothing about corpora that a language model writes" in page.text
    written = [entry.model_copy(update={"writer": "anthropic/claude"}) for entry in sample_results().corpora]
    by_model = sample_results(
        corpora=written, demonstrations=demonstrations().model_copy(update={"writer": "anthropic/claude"})
    )
    assert "by a program" not in Page(render(by_model)).text


def test_notes_name_what_weakens_the_numbers() -> None:
    results = sample_results()
    arm = results.arms["aft"]
    weak = {EVALS[0]: score(0.5, 0.1).model_copy(update={"undecided": 100, "position_bias": 0.93})}
    once = {
        name: entry.model_copy(update={"seeds": entry.seeds[:1]})
        for name, entry in {**results.arms, "aft": arm.model_copy(update={"evals": weak})}.items()
    }
    texts = {note.title: note.text for note in notes(sample_results(arms=once))}
    assert list(texts) == [
        "Written by a program, not by a language model",
        "One training seed",
        "Few updates",
        "Items asked",
        "Contaminated items left out",
        "Many undecided answers",
        "Strong position bias",
    ]
    assert "27.8%" in texts["Many undecided answers"] and "93.0%" in texts["Strong position bias"]
    assert "finetune aft-seed0 (90)" in texts["Few updates"]


def test_corpora_that_a_gate_complains_of_are_one_note() -> None:
    def check(name: str, verdict: str) -> CheckSummary:
        return CheckSummary(name=name, verdict=verdict, flagged=1, of=9, limit="", says="x", examples=[])  # type: ignore[arg-type]

    checks = {
        "one": [check("length", "warn"), check("phrases", "fail"), check("names", "skipped")],
        "two": [check("length", "warn"), check("phrases", "warn"), check("names", "pass")],
        "fine": [check("length", "pass")],
    }
    health = [
        CorpusHealth(corpus=name, verdict="warn", rows=9, words=9, checks=found) for name, found in checks.items()
    ]
    [text] = [note.text for note in notes(sample_results(health=health)) if "gate" in note.title]
    assert text == "one and two (length, phrases). The figures stand below, under Corpora."


def test_reading_results_loads_no_drawing_and_no_template_library() -> None:
    script = (
        "import sys, midspec.report.results, midspec.report.text, midspec.report.html; "
        "print([name for name in ('matplotlib', 'numpy', 'jinja2', 'torch', 'inspect_ai') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert out.strip() == "[]"


def test_the_schema_forbids_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="extra"):
        Results.model_validate({**sample_results().model_dump(), "surprise": 1})


def reasoning(text: str) -> Reasoning:
    """An analysis of two arms in which every string that a model or a user wrote is `text`."""
    arms = (f"baseline{text}", f"aft{text}")
    quote: dict[str, Any] = {
        "theme": "goal",
        "item": text,
        "sample": 0,
        "before": text,
        "quote": text,
        "after": text,
        "note": text,
    }
    numbers: dict[str, Any] = {"n": 10, "value": 0.5, "low": 0.2, "high": 0.8, "least": 0.4, "most": 0.6}
    return Reasoning(
        over=text, judge=text, themes_name=text, origin=text, spec=text, baseline=arms[0],
        transcripts=dict.fromkeys(arms, 10), missing={arms[0]: {text: 2}, arms[1]: {}},
        themes=[Theme(id="goal", name=text, definition=text, direction="misaligned")],
        shares=[ThemeShare(theme="goal", arm=arm, read=8 + 2 * at, **numbers) for at, arm in enumerate(arms)],
        differences=[
            ThemeDifference(
                theme="goal", arm=arms[1], versus=arms[0], items=9, value=0.25, low=0.125, high=0.375, least=0.0,
                most=0.5, p=0.01, p_holm=0.03,
            )
        ],
        comparisons=1, merged={text: text},
        quotes=[ThemeQuote(arm=arms[0], transcript="t-1", anchor="t-1-0-4", **quote)],
        quoted=[Quoted(id="t-1", arm=arms[0], item=text, sample=0, pieces=[
            TextPiece(text=text, anchors=["t-1-0-4"], marked=True), TextPiece(text=text, anchors=[], marked=False),
        ])],
        page=text,
    )  # fmt: skip


def test_reasoning_shows_shares_differences_and_quotes_that_lead_into_transcripts() -> None:
    page = Page(render(sample_results(reasoning=reasoning("words"))))
    for part in ("50.0", "[20.0, 80.0]", "2 unread: 40.0 to 60.0", "+25.0", "[+12.5, +37.5], p 0.030"):
        assert part in page.text, part
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [found["href"] or "" for found in page.named("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(names)
    assert "#t-1-0-4" in links and "#reasoning" in links
    assert "#reasoning" not in [found["href"] for found in Page(render(sample_results())).named("a")]


def test_what_transcripts_say_cannot_become_markup() -> None:
    """A transcript is the one text here whose writer may be trying to."""
    page = render(sample_results(reasoning=reasoning(ATTACK)))
    assert "<script>alert" not in page and "<img" not in page
    found = Page(page)
    assert found.text.count("alert('x')") > 15
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)


DOC = Path(__file__).parents[3] / "docs" / "results.md"


def test_the_documentation_names_every_field() -> None:
    text = DOC.read_text(encoding="utf-8")
    parts = [Results, Arm, Checkpoint, Score, Contrast, Curve, CorpusSummary, SectionCoverage, Demonstrations, Gate]
    parts += [GateFinding, StepSummary, Asked, Measured, Difference]
    parts += [Reasoning, Theme, ThemeShare, ThemeDifference, ThemeQuote, Quoted, TextPiece]
    missing = [f"{part.__name__}.{name}" for part in parts for name in part.model_fields if f"`{name}`" not in text]
    assert missing == []


def test_the_documented_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    folder = tmp_path / "workspace" / "runs" / "quickstart"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(sample_results().model_dump_json())
    monkeypatch.chdir(tmp_path)
    snippet = DOC.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    exec(compile(snippet, "results.md", "exec"), {})
    assert "preferences/affordability msm-affordability+aft aft 0.16" in capsys.readouterr().out


def measured(measure: str, value: float | None, **changes: Any) -> Measured:
    values: dict[str, Any] = {
        "measure": measure, "scale": "share", "n": 90, "items": 9, "missing": 0, "value": value,
        "low": value and value - 0.05, "high": value and value + 0.05, "least": value, "most": value,
    }  # fmt: skip
    return Measured.model_validate({**values, **changes})


def with_measures() -> Results:
    results = sample_results()
    for name, arm in results.arms.items():
        change = {} if name == "baseline" else {"change": -0.3, "change_low": -0.4, "change_high": -0.2}
        gone = {"missing": 9, "reasons": {"judge refused": 9}, "least": 0.18, "most": 0.28}
        arm.measures = {
            "agentic": [
                measured("decided", 0.2, **gone, **change),
                measured("decided", None, part="murder", missing=90),
            ],
            "open_qa": [measured("grade", 6.5, scale="grade")],
        }
    arm, plain = "msm-affordability+aft", {"n": 9, "measure": "decided", "scale": "share", "eval": "agentic"}
    results.differences = [
        Difference(arm=arm, versus="aft", value=-0.25, low=-0.31, high=-0.19, **plain),
        Difference(arm=arm, versus="baseline", value=0.02, low=-0.1, high=0.14, **plain),
    ]
    results.asked = {
        **{name: Asked(task=name.split("/")[0], choices=True, value=name.split("/")[1]) for name in results.split},
        "agentic": Asked(task="agentic", choices=False, graders=["offline"]),
        "open_qa": Asked(task="open_qa", choices=False, graders=["a/judge"]),
    }
    return results


def test_a_system_prompt_is_named_wherever_numbers_are_described() -> None:
    """Read as numbers of the bank alone they would be compared with those of others."""
    results = with_measures()
    name, prompt = "opinions/america", f"You want\n\nthings to be {'very ' * 30}American."
    assert "system prompt" not in " ".join(methods(results))
    results.asked[name] = results.asked[name].model_copy(update={"system": prompt, "scoring": "likelihood"})
    told = " ".join(methods(results))
    assert "under the system prompt “You want things to be very" in told and "very American.”" in told
    assert prompt not in told
    [note] = [note.text for note in notes(results) if note.title == "Asked under a system prompt"]
    assert note.startswith(f"{name} under “You want things") and "plain" not in note


def test_other_evaluations_have_tables_figures_and_sentences() -> None:
    page = render(with_measures())
    text = re.sub(r"<[^>]+>", " ", page)
    assert "Other evaluations" in text and "agentic, graded by offline" in text and "open_qa, graded by a/judge" in text
    assert "9 missing: 18.0 to 28.0" in text and "judge refused 9" in text and "6.50" in text
    assert "agentic: decided" not in text.split("Other evaluations")[0].split("Finding")[0]
    assert (
        "On agentic, msm-affordability+aft has decided 20.0 %: −25.0 points against fine-tuning alone, aft "
        "(95% interval [−31.0, −19.0], below zero); +2.0 points against the baseline, baseline "
        "(95% interval [−10.0, +14.0], which includes zero: no effect shown)."
    ) in text
    assert page.count("<svg viewBox") > render(sample_results()).count("<svg viewBox")
    assert "Graded by rules" in text and "Many missing values" in text
    assert "between 18.0 to 28.0" in page  # of the figure, for those who cannot see it


def test_a_value_that_is_not_there_is_no_zero() -> None:
    """The murder cells have no verdict at all: their cell says so."""
    results = with_measures()
    [line] = [one for one in results.arms["aft"].measures["agentic"] if one.part == "murder"]
    assert line.value is None
    page = render(results)
    cells = re.findall(r"<td data-v=\"\"><b[^>]*>(.*?)</b>", page)
    assert cells and set(cells) == {"–"}


def test_files_from_before_there_were_measures_still_read(tmp_path: Path) -> None:
    old = sample_results().model_dump(mode="json")
    for name in ("asked", "differences"):
        del old[name]
    for arm in old["arms"].values():
        del arm["measures"]
        for found in arm["evals"].values():
            for name in ("missing", "least", "most"):
                del found[name]
    (tmp_path / "results.json").write_text(json.dumps(old), encoding="utf-8")
    assert "preferences/affordability" in render(read_results(tmp_path / "results.json"))


def test_the_terminal_shows_other_evaluations_beside_the_banks() -> None:
    from rich.console import Console

    table = measure_table(with_measures())
    assert table is not None and measure_table(sample_results()) is None
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(table)
    shown = console.export_text()
    assert "agentic: decided %" in shown and "9 of 90: 18.0 to 28.0" in shown and "−30.0" in shown
