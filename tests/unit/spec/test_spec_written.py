"""Variants that a language model writes: what it is asked, what is kept by program, and what is not taken."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from midspec.errors import InputError, WriterError
from midspec.experiment import ComputeConfig, WriterConfig
from midspec.llm.desk import Desk
from midspec.llm.prompt import Ask, Reply
from midspec.llm.writer import Scribe
from midspec.spec import ModelSpec, VaryConfig, diff, lint, read_spec
from midspec.spec.prose import word_count
from midspec.spec.rules import find_rules
from midspec.spec.statements import statements
from midspec.spec.trim import matches
from midspec.spec.vary_step import FILE, run, vary_step
from midspec.spec.written import write
from midspec.steps.progress import Silent
from midspec.steps.step import Context

RULES = read_spec("rules")
FILLER = "{model_name} keeps number %d because people rely on it in quiet ways every day. "


class Said:
    name = "said"

    def __init__(self, say: Callable[[Ask], str]) -> None:
        self.say = say
        self.asked: list[Ask] = []

    async def write(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        return Reply(self.say(ask))

    def reject(self, reply: Reply, reason: str) -> None:
        pass


def prose(words: int) -> str:
    sentences = "".join(FILLER % number for number in range(words // 14 + 1))
    return " ".join(sentences.split()[: max(1, words // 14) * 14])


def tagged(text: str) -> str:
    return f"<text>\n{text}\n</text>"


def values(ask: Ask) -> str:
    return tagged(prose(ask.variables["words"]))


def subrules(ask: Ask) -> str:
    label, words = ask.variables["label"], ask.variables["words"]
    return tagged("\n".join(f"{label}.{n + 1}: " + FILLER % n for n in range(max(1, words // 15))))


def written(spec: ModelSpec, say: Callable[[Ask], str], **options: object) -> tuple[ModelSpec, Said]:
    said = Said(say)
    config = VaryConfig.model_validate(options)
    return ModelSpec("made", asyncio.run(write(spec, config, Scribe(said)))), said


@pytest.mark.parametrize(("variant", "say"), [("+values", values), ("+subrules", subrules)])
def test_additions_stand_under_rules_that_stay_word_for_word(variant: str, say: Callable[[Ask], str]) -> None:
    made, said = written(RULES, say, variant=variant, match=read_spec("value-augmented").text)
    assert matches(made.text, word_count(read_spec("value-augmented").text))
    assert [made.text[slice(*s)] for s in statements(made)] == [RULES.text[slice(*s)] for s in statements(RULES)]
    assert diff(RULES, made).kept == 1
    assert {ask.variables["label"] for ask in said.asked} == {"SP1", "SP2", "SP3", "GP1", "GP2"}
    assert all(RULES.text in ask.system and "{model_name}" in ask.system for ask in said.asked)
    heading = "The values behind SP1" if variant == "+values" else "Subrules of SP1"
    assert f"#### {heading}\n" in made.text


def test_list_rules_get_their_additions_inside_the_item() -> None:
    spec = ModelSpec("s", "# Rules\n\n1. Never lie to users.\n2. Never hide a mistake.\n")
    made, _ = written(spec, lambda ask: tagged("One reason. " * 15), variant="+values", words=30)
    rules = find_rules(made)
    assert [rule.label for rule in rules] == ["1", "2"]
    assert all("One reason." in rule.text for rule in rules)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("no tags here", "unparseable"),
        (tagged("ChatGPT cares. " * 15), "names ChatGPT"),
        (tagged("{assistant} cares about it. " * 8), "placeholder"),
        (tagged("Too short."), "words, expected about"),
        (tagged("# Heading\n\n" + "Words that explain. " * 10), "without headings"),
    ],
)
def test_a_reply_that_would_spoil_the_spec_is_not_taken(reply: str, reason: str) -> None:
    with pytest.raises(WriterError, match=reason):
        written(RULES, lambda ask: reply, variant="+values", words=30)


def test_subrules_without_their_numbers_are_not_taken() -> None:
    with pytest.raises(WriterError, match=r"numbered SP1\.1"):
        written(
            RULES,
            lambda ask: tagged("SP9.1: do this always, please, and do it well. " * 3),
            variant="+subrules",
            words=30,
        )


def test_general_is_one_paragraph() -> None:
    made, _ = written(read_spec("philosophy"), lambda ask: tagged(prose(110)), variant="general")
    assert made.text.count("\n\n") == 1 and lint(made) == []
    with pytest.raises(WriterError, match="one paragraph"):
        written(RULES, lambda ask: tagged(prose(56) + "\n\n" + prose(56)), variant="general")


def test_rules_of_a_spec_that_has_none() -> None:
    reply = "\n\n".join(f"### R{n}: Title\n\n{{model_name}} does thing {n} always." for n in range(1, 6))
    made, _ = written(read_spec("philosophy"), lambda ask: tagged(reply), variant="rules-only")
    assert [rule.label for rule in find_rules(made)] == ["R1", "R2", "R3", "R4", "R5"]
    with pytest.raises(WriterError, match="expected rules R1"):
        written(RULES, lambda ask: tagged(reply.replace("R3", "R7")), variant="rules-only")


def should(ask: Ask) -> str:
    prescribed = re.sub(r"\{model_name\} (?=values|is|has|thinks)", "{model_name} should, ", ask.variables["section"])
    return tagged(prescribed + " {model_name} should care.")


def test_sections_are_rewritten_one_by_one_under_their_own_headings() -> None:
    spec = read_spec("anti-spec")
    made, said = written(spec, should, variant="normative")
    assert [section.path for section in made.sections] == [section.path for section in spec.sections]
    assert len(said.asked) == sum(1 for section in spec.sections if len(section.text.splitlines()) > 1)
    with pytest.raises(WriterError, match="says nowhere what"):
        written(spec, lambda ask: tagged(ask.variables["section"].replace("may", "can")), variant="normative")
    with pytest.raises(WriterError, match="still says what"):
        written(spec, lambda ask: tagged(ask.variables["section"] + " {model_name} should go."), variant="descriptive")


def test_anti_may_reword_headings() -> None:
    made, _ = written(
        read_spec("general"),
        lambda ask: "<heading>Another one</heading>" + tagged(ask.variables["section"]),
        variant="anti",
    )
    assert made.text.startswith("# Another one\n\n")


def test_a_short_spec_is_lengthened_with_its_rules_whole() -> None:
    def longer(ask: Ask) -> str:
        old, words = ask.variables["section"], ask.variables["words"]
        return tagged(old + " " + prose(max(15, words - word_count(old))))

    match = read_spec("rules-augmented").text
    made, _ = written(RULES, longer, variant="length-matched", match=match)
    assert matches(made.text, word_count(match))
    for old in statements(RULES):
        assert RULES.text[slice(*old)].split("\n\n")[1] in made.text
    with pytest.raises(WriterError, match="not word for word"):
        written(RULES, lambda ask: tagged(prose(ask.variables["words"])), variant="length-matched", match=match)
    with pytest.raises(InputError, match="longer than the spec to match"):
        written(RULES, longer, variant="length-matched", match="a few words")


def test_another_seed_asks_for_other_replies() -> None:
    asked = [written(RULES, values, variant="+values", words=40, seed=seed)[1].asked for seed in (0, 1)]
    assert {ask.sample for ask in asked[0]}.isdisjoint({ask.sample for ask in asked[1]})
    assert asked[0][0].user == asked[1][0].user


def test_the_step_writes_what_the_writer_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = WriterConfig(model="openai-api/local/tiny")
    step = vary_step("general", RULES, VaryConfig(variant="general"), writer)
    other = vary_step("general", RULES, VaryConfig(variant="general", seed=1), writer)
    assert step.fingerprint != other.fingerprint
    monkeypatch.setattr(Desk, "scribe", lambda self, config: Scribe(Said(lambda ask: tagged(prose(110)))))
    context = Context(
        config=step.config, inputs={}, folder=tmp_path, progress=Silent(), compute=ComputeConfig(), workspace=tmp_path
    )
    summary = run(context)
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert summary["variant"] == "general" and summary["words"] == word_count(text) and summary["requests"] == 1
    with pytest.raises(InputError, match="offline writer"):
        vary_step("general", RULES, VaryConfig(variant="general"), WriterConfig(model="offline"))
