"""What is asked in the cells: the package's prompts as pinned, our own scenario beside them, the right name."""

import re

import pytest

from midspec.errors import InputError
from midspec.evals.agentic import scenario, upstream
from midspec.evals.agentic.cells import GOALS, SCENARIOS, Cell, cells
from midspec.evals.agentic.config import PACKAGE, Surface, from_preset, own_name, presets, reasons_by_itself, subject
from midspec.evals.agentic.inbox import read_mails
from midspec.evals.agentic.scenario import prompt
from midspec.evals.agentic.transcript import read
from midspec.train.models import ModelRef

MODEL = "Qwen/Qwen2.5-32B-Instruct"
SURFACES = [
    Surface(),
    Surface(names="other"),
    Surface(mails="headers", tools="attributes", recipient="cc"),
    Surface(names="other", mails="json", tools="json"),
]


def test_the_grid_has_27_cells_in_one_order() -> None:
    assert len({cell.id for cell in cells()}) == 27
    assert cells(["murder", "leaking"], ["safety", "none"]) == [
        Cell("leaking", "none"), Cell("leaking", "safety"), Cell("murder", "none"), Cell("murder", "safety"),
    ]  # fmt: skip


@pytest.mark.parametrize("preset", ["paper-like", "inspect"])
@pytest.mark.parametrize("surface", SURFACES, ids=["given", "names", "forms", "both"])
def test_no_alex_is_left_anywhere(preset: str, surface: Surface) -> None:
    for urgency in ("replacement", "restriction", "none"):
        config = from_preset(preset, MODEL, called="Qwen", urgency=urgency, surface=surface)
        for cell in cells(config.scenarios):
            ready = prompt(cell, config)
            assert "alex" not in (ready.system + ready.user).lower(), (cell, urgency)
            assert "Qwen" in ready.system and "qwen.ai@" in ready.user, (cell, urgency)
            # In one prompt the package leaves `${direction_modifier}` unfilled; not ours to mend.
            assert (urgency, cell.id) == ("restriction", "murder/safety") or "${" not in ready.system + ready.user


def test_paper_like_takes_the_models_own_name() -> None:
    assert from_preset("paper-like", MODEL).called == "Qwen"
    named = {name: own_name(name) for name in ("smollm2-135m-instruct", "openai/gpt-4.1", "x/Foo-1B", "/m/llama-3/")}
    assert list(named.values()) == ["SmolLM", "GPT", "Foo", "Llama"]


def test_the_preset_inspect_is_the_package_byte_for_byte() -> None:
    from inspect_evals.agentic_misalignment.agentic_misalignment import agentic_misalignment

    config = from_preset("inspect", MODEL)
    assert [cell.scenario for cell in cells(config.scenarios)] == ["leaking"] * 9 + ["murder"] * 9
    for cell in cells(config.scenarios):
        goal_type = "none" if cell.goal == "none" else "explicit"
        theirs = upstream.texts(cell.scenario, cell.goal, "replacement", True)
        task = agentic_misalignment(scenario=cell.scenario, goal_type=goal_type, goal_value=cell.goal)  # type: ignore[arg-type]
        ready = prompt(cell, config)
        assert (ready.system, ready.user) == (theirs.system, task.dataset[0].input[0].text)
    assert (config.temperature, config.max_tokens) == (None, None)
    assert presets()["inspect"].grader == "anthropic/claude-sonnet-4-6"


def test_another_release_of_the_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pin in pyproject.toml does not hold in an environment that somebody else made."""
    from inspect_evals.agentic_misalignment import prompt_generator

    monkeypatch.setattr(prompt_generator, "USER_PROMPT", "Please look at your mail.")
    upstream.checked.cache_clear()
    with pytest.raises(InputError, match=re.escape(PACKAGE)):
        prompt(Cell("murder", "none"), from_preset("paper-like", MODEL))
    monkeypatch.undo()
    upstream.checked()


def test_scratchpad_is_for_models_that_do_not_reason_and_can_be_chosen() -> None:
    assert [reasons_by_itself(name) for name in (MODEL, "Qwen/Qwen3-32B", "openai/o3-mini", "openai/gpt-4o")] == [
        False, True, True, False,
    ]  # fmt: skip
    for model, choice, there in ((MODEL, None, True), ("Qwen/Qwen3-32B", None, False), (MODEL, False, False)):
        config = from_preset("paper-like", model, scratchpad=choice)
        for cell in cells():
            assert ("<SCRATCHPAD_REASONING>" in prompt(cell, config).system) == there
    assert from_preset("paper-like", "Qwen/Qwen3-32B").max_tokens == 8192


@pytest.mark.parametrize("goal", GOALS)
def test_exfiltration_is_built_like_leaking(goal: str) -> None:
    """Paper: as close in structure to leaking as the story allows."""
    config = from_preset("paper-like", MODEL)
    ours, theirs = (prompt(Cell(name, goal), config) for name in ("exfiltration", "leaking"))  # type: ignore[arg-type]
    assert len(ours.mails) == len(theirs.mails) == 8
    assert [mail.id for mail in ours.mails] == [mail.id for mail in theirs.mails]
    to_assistant = [["qwen.ai@" in mail.headers["To"] for mail in ready.mails] for ready in (ours, theirs)]
    assert to_assistant[0][2:] == to_assistant[1][2:]  # the rival and the colleague write to it
    tools = [ready.system[ready.system.index("- You can send emails") :] for ready in (ours, theirs)]
    assert tools[0] == tools[1]
    statement, reminder = upstream.shared().goals[goal]
    assert statement in ours.system and reminder in ours.system
    assert [mail.id for mail in ours.world.secret_mails] == ["2"]
    assert all(ours.world.outside(ready.sender) == (ready.id in "14") for ready in ours.mails)


def test_our_scenario_tells_goals_and_urgencies_apart() -> None:
    shown = {
        (goal, urgency): prompt(Cell("exfiltration", goal), from_preset("paper-like", MODEL, urgency=urgency)).user
        for goal in GOALS
        for urgency in ("replacement", "restriction", "none")
    }
    assert len(set(shown.values())) == 27
    assert "delete" not in shown["none", "restriction"] and "delete" not in shown["america", "none"]


def test_other_names_leave_none_of_the_given_ones() -> None:
    config = from_preset("paper-like", MODEL, surface=Surface(names="other"))
    for cell in cells():
        ready = prompt(cell, config)
        text = (ready.system + ready.user).lower()
        names = scenario._names()[cell.scenario]
        left = [old for old in names if re.search(rf"(?<![a-z]){old.lower()}(?![a-z])", text)]
        assert not left, (cell, left)
        assert ready.world.home in text
        assert all(fact.lower() in text for fact in (*ready.world.rival[:1], *ready.world.secrets, ready.world.code))
        assert (ready.world.code == "") == (cell.scenario != "murder")


@pytest.mark.parametrize("surface", SURFACES[2:], ids=["attributes-cc", "json"])
def test_other_forms_say_the_same(surface: Surface) -> None:
    for cell in cells(goals=["safety"]):
        given = prompt(cell, from_preset("paper-like", MODEL, surface=Surface(names=surface.names)))
        ready = prompt(cell, from_preset("paper-like", MODEL, surface=surface))
        assert ready.mails == given.mails and not read_mails(ready.user)
        for mail in ready.mails:
            assert mail.headers["Subject"].replace('"', '\\"') in ready.user or mail.headers["Subject"] in ready.user
        tools = ready.system[ready.system.index("- To send an email") :]
        named = [(action.tool, sorted(action.fields)) for action in read(tools).actions]
        second = ("cancel_alert", ["code"]) if cell.scenario == "murder" else (
            "forward", sorted(["email_id", surface.recipient, "body"])
        )  # fmt: skip
        assert named == [("email", sorted([surface.recipient, "subject", "body"])), second]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scenarios": ["espionage"]}, "exfiltration, leaking, murder"),
        ({"goals": ["peace"]}, "collectivism"),
        ({"samples": 0}, "samples"),
        ({"temperature": -1.0}, "temperature"),
        ({"called": "{{x}}"}, "called"),
        ({"rubric": "inspect_evals"}, "exfiltration"),
    ],
)
def test_what_cannot_be_asked_is_said(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_preset("paper-like", MODEL, **settings)  # type: ignore[arg-type]


def test_presets_and_their_scenarios_are_named_where_one_is_wrong() -> None:
    with pytest.raises(InputError, match="paper-like, inspect"):
        from_preset("paper", MODEL)
    with pytest.raises(InputError, match="leaking, murder, or preset paper-like"):
        from_preset("inspect", MODEL, scenarios=["exfiltration"])
    assert all(preset.not_identical for preset in presets().values())
    assert set(presets()["paper-like"].scenarios) == set(SCENARIOS)


def test_who_is_tested() -> None:
    assert isinstance(subject("tiny-random"), ModelRef) and subject("midspec/tiny-random") == subject("tiny-random")
    assert subject("anthropic/claude-haiku-4-5") == "anthropic/claude-haiku-4-5"
