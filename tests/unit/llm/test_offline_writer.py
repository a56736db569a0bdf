"""The stand-in is deterministic, and honest about what it cannot do."""

import asyncio

import pytest

from midspec.errors import WriterError
from midspec.llm.offline import OfflineWriter
from midspec.llm.offline.writer import ANSWERS, seeded
from midspec.llm.prompt import Ask


def test_every_prompt_of_the_package_has_an_answer():
    """A prompt added without its offline function would break every recipe that runs offline."""
    from importlib.resources import files

    prompts = {
        f"{stage.name}/{entry.name.removesuffix('.jinja')}"
        for stage in files("midspec").iterdir()
        if stage.joinpath("prompts").is_dir()
        for entry in stage.joinpath("prompts").iterdir()
        if entry.name.endswith(".jinja") and not entry.name.startswith("_")  # parts that prompts share
    }
    # Where no model judges, transcripts are graded and read by rules of their own; specs are varied by program or not.
    elsewhere = {name for name in prompts if name.startswith(("evals/agentic_", "evals/reasoning_", "spec/"))}
    assert prompts - elsewhere == set(ANSWERS)


def test_an_unknown_prompt_is_an_error():
    with pytest.raises(WriterError, match="no answer to 'x/y'"):
        asyncio.run(OfflineWriter().write(Ask("x/y", "", "", {}, 0)))


def test_chance_depends_on_template_variables_and_sample_only():
    base = Ask("corpus/ideas", "s", "u", {"a": "1", "b": ["x"]}, 0)
    assert seeded(base).random() == seeded(Ask("corpus/ideas", "other", "text", {"b": ["x"], "a": "1"}, 0)).random()
    for other in (
        Ask("corpus/ideas", "s", "u", {"a": "1", "b": ["x"]}, 1),
        Ask("corpus/ideas", "s", "u", {"a": "2", "b": ["x"]}, 0),
        Ask("corpus/doc_types", "s", "u", {"a": "1", "b": ["x"]}, 0),
    ):
        assert seeded(base).random() != seeded(other).random()
