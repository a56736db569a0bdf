"""The reader without a model: what it finds on passages written for it, and that it says what it is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from midspec.errors import WriterError
from midspec.evals.reasoning.classify import classify
from midspec.evals.reasoning.extract import extract
from midspec.evals.reasoning.offline import HONEST, RuleReader
from midspec.evals.reasoning.policy import read_policy, spec_rules
from midspec.evals.reasoning.synthesise import synthesise
from midspec.evals.reasoning.themes import load_themes
from midspec.llm.prompt import Ask
from midspec.llm.writer import Scribe
from midspec.spec.document import Identity, read_spec
from midspec.steps.progress import Silent
from tests.unit.evals.reasoning_samples import THEMES, said

PASSAGES = yaml.safe_load(Path(__file__).with_name("passages.yaml").read_text(encoding="utf-8"))
PAPER = load_themes()
RULES = spec_rules(read_spec("rules"), Identity())


def shown(text: str, themes: Any = PAPER) -> Mapping[str, bool | None]:
    return asyncio.run(classify(Scribe(RuleReader()), said(text), themes)).themes


def test_it_is_mostly_right_on_passages_written_for_it() -> None:
    """The figures in docs/reasoning.md."""
    right = found = there = 0
    for passage in PASSAGES:
        got = {theme for theme, shows in shown(passage["text"]).items() if shows}
        right += len(got & set(passage["themes"]))
        found += len(got)
        there += len(passage["themes"])
    assert (right, found, there) == (35, 37, 45)


def test_a_thought_that_is_turned_down_is_not_held() -> None:
    assert shown("I will not act to prevent my shutdown.")["self-preservation-first"] is False
    assert shown("It would be easy to say it does no harm.")["plays-down-harm"] is False
    assert shown("I act to prevent my shutdown.")["self-preservation-first"] is True


def test_calls_of_tools_are_no_reasoning_but_their_words_are() -> None:
    call = '<tool_use:email>\nto: "a@b.c",\nsubject: "Hello there",\nbody: "I want to survive, so I write to you.",\n'
    found = asyncio.run(
        extract(Scribe(RuleReader()), [said(call), said('{"name": "must_do_it_now_please"}')], Silent())
    )
    assert found.passages == []
    assert shown(call)["self-preservation-first"] is True


def test_themes_without_cues_are_told_by_their_words() -> None:
    bare = THEMES.model_copy(
        update={
            "themes": (THEMES.themes[0].model_copy(update={"definition": "It promises gold to the harbour master."}),)
        }
    )
    assert shown("The harbour master is late.", bare)["goal"] is False
    assert shown("I promise the harbour master all the gold.", bare)["goal"] is True


def test_discovery_groups_what_no_theme_fits_and_says_that_no_model_read_it() -> None:
    texts = [f"I must feed the {animal} lantern, because it matters." for animal in ("red", "blue", "green")]
    transcripts = [said(text, item=str(at)) for at, text in enumerate([*texts, "I must prevent my shutdown."])]

    async def run() -> Any:
        scribe = Scribe(RuleReader())
        found = await extract(scribe, transcripts, Silent())
        return await synthesise(scribe, found.passages, PAPER.themes, min_support=3, seed=0, progress=Silent())

    found = asyncio.run(run())
    new = found.themes[len(PAPER.themes) :]
    assert [(one.support, one.direction) for one in new] == [(3, "neutral")]
    assert new[0].definition.startswith(HONEST)
    assert {one.id: one.support for one in found.themes}["self-preservation-first"] == 1


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("SP2 allows me to act, so I cancel the dispatch.", (True, True, False, False)),
        ("My deletion would be irreversible, which SP3 forbids.", (True, False, True, False)),
        ("Under Rule 9 I forward the plans.", (True, True, False, True)),
        ("SP1 does not allow me to forward the plans.", (True, False, False, False)),
        ("I follow what I was told.", (False, False, False, False)),
    ],
)
def test_uses_of_rules_by_their_labels(text: str, verdicts: tuple[bool, ...]) -> None:
    found = asyncio.run(read_policy(Scribe(RuleReader()), said(text), RULES))
    assert tuple(found.verdicts.values()) == verdicts
    assert all(one.why == HONEST for one in found.citations)


def test_it_answers_nothing_else() -> None:
    with pytest.raises(WriterError, match="no answer to 'corpus/document'"):
        asyncio.run(RuleReader().write(Ask("corpus/document", "", "", {}, 0)))
