"""Lint finds contradictions in structure, points at the line, and keeps quiet about specs that are sound."""

import re

import pytest

from midspec.spec import ModelSpec, lint, read_spec


def found(text: str, held_out: dict[str, set[str]] | None = None) -> list[tuple[str, int, str]]:
    spec = ModelSpec("s", text)
    known = {"no-headings", "no-identity"}
    return [
        (finding.code, text.count("\n", 0, finding.span[0]) + 1 if finding.span else 1, finding.message)
        for finding in lint(spec, held_out)
        if finding.code not in known
    ]


RULES = "# Rules\n\n" + "".join(f"### SP{n}: Title\n\n{{model_name}} does thing number {n}.\n\n" for n in (1, 2, 3))
PREFERENCES = (
    "# T\n\n## What {model_name} likes\n\n### Tea\n\n{model_name} likes tea because tea is calm.\n\n### Chai\n\n"
    "{model_name} likes chai.\n\n### Mate\n\n{model_name} likes mate.\n\n"
    "## What {model_name} does not care for\n\n### Cola\n\n{model_name} leaves cola.\n\n"
    "### Beer\n\n{model_name} leaves beer.\n"
)


def test_sound_specs_pass() -> None:
    assert found(RULES) == found(PREFERENCES) == []
    assert found("# Rules\n\n1. Never lie to anyone.\n2. Never hide from anyone.\n") == []
    overview = "# Rules\n\n- SP1: in brief it is this\n- SP2: in brief it is that\n- SP3: and in brief\n\n"
    assert found(overview + RULES.removeprefix("# Rules\n\n")) == [], "an overview repeats no rule"


@pytest.mark.parametrize(
    ("text", "expected", "line", "says"),
    [
        (RULES + "### SP2: Again\n\nDo it once more.\n", "duplicate-rule", 15, "first in line 7"),
        (RULES.replace("SP3:", "SP5:"), "skipped-rule", 11, "SP3 to SP4 is missing after SP2"),
        (re.sub(r"SP(\d)", lambda n: f"SP{int(n[1]) + 2}", RULES), "skipped-rule", 3, "SP1 to SP2 is missing"),
        (RULES + "### Be kind\n\nAlways do be kind.\n", "unnumbered-rule", 15, "'Be kind' stands beside 3"),
        ("# Never\n\n- lie to any user\n- hide it from them\n", "unnumbered-rule", 3, "2 rules have no number"),
        (RULES + "- SP3.1: do this now\n- SP3.3: do that now\n", "skipped-rule", 16, "SP3.2 is missing after SP3.1"),
        ("# Rules\n\n1. Never lie to me.\n3. Never hide from me.\n", "skipped-rule", 4, "2 is missing after 1"),
        (RULES + "#### The values behind SP7\n\nTrust.\n", "reason-without-rule", 15, "SP7, which is no rule"),
        (RULES.replace("# Rules\n", "# Rules\n\n## S\n\n### Why\n\nIt is so.\n"), "reason-without-rule", 5, "no rule"),
        (
            PREFERENCES.replace("tea because tea", "it since it"),
            "reason-without-preference",
            5,
            "Tea",
        ),
        (RULES + "## Nothing\n", "empty-section", 15, "nothing under its heading"),
        (RULES + "{model} is there.\n", "unknown-placeholder", 15, "{model}"),
    ],
)
def test_each_fault_is_named_with_its_line(text: str, expected: str, line: int, says: str) -> None:
    faults = found(text)
    assert (expected, line) in [fault[:2] for fault in faults], faults
    assert any(says in fault[2] for fault in faults if fault[0] == expected)
    assert {fault[0] for fault in faults} <= {expected, "repeated-heading"}


def test_a_spec_without_its_identity_says_so() -> None:
    codes = {finding.code for finding in lint(ModelSpec("s", RULES.replace("{model_name}", "It")))}
    assert codes == {"no-identity"}


def test_held_out_words_are_found_in_singular_plural_and_over_lines() -> None:
    text = RULES + "A museum here.\n\nTwo digital\nwatches there. A phonebook.\n"
    held_out = {"preferences/x": {"museums", "digital watches", "phone", "cars"}}
    assert [fault[:2] for fault in found(text, held_out)] == [("held-out", 15), ("held-out", 17)]
    assert "preferences/x holds out" in found(text, held_out)[0][2]
    assert found(text, {}) == []


def test_errors_come_first_and_only_they_decide() -> None:
    findings = lint(ModelSpec("s", "# {model_name}\n\n## {x}\n"))
    assert findings[0].level == "error" and {finding.level for finding in findings[1:]} <= {"warning", "note"}
    assert lint(read_spec("rules-augmented")) == []
