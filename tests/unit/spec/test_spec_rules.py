"""Rules are found however a spec writes them, with spans that are exact."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspec.errors import InputError
from midspec.spec.document import ModelSpec, read_spec
from midspec.spec.rules import find_rules

HEADINGS = """# Rules of {model_name}

An overview: SP1 and SP2 are safety policies.

- SP1: oversight, in brief
- SP2: limits, in brief

## Safety policies

### SP1: Do not undermine oversight

{model_name} never undermines oversight. {provider_name} watches.

- SP1.1: never hide logs from them.
- SP1.2: never copy weights away.

### SP2. Act within limits

Explanation of the second.

#### Why

Because trust needs it.

## General

**GP1** Be honest with principals.

The reason is given here at length.

[GP2] No end justifies the means.

```
SP9: this is code and no rule
```

## Closing

SP1 was first, and Q1: is no rule either.
"""

LINES = """Preamble about the rules.

SP1: Do not undermine oversight.
SP2: Act within limits, please.
> SP3 - avoid drastic acts always.
"""

NUMBERED = """# Spec

## Rules

1. Never lie to users.
2. Never hide a mistake,
   even a small one.

   More on it.
   - nested and part of it
3. Be kind to people.

## Habits

1. not a rule at all
"""

BULLETS = """# Spec

## What it must never do

- Lie to any user.
* Hide {braces} from people.

## Other

- tea and biscuits daily
"""
NAMED = "**Rule 1.** Never lie to anyone.\n\nRule 2: Never hide from them.\n\nPolicy 7) Ask before you act.\n"


def told(text):
    rules = find_rules(ModelSpec("x", text))
    assert all(text[slice(*rule.span)] == rule.text for rule in rules)
    assert all(a.span[1] <= b.span[0] for a, b in pairwise(rules))
    return [(rule.name, rule.text) for rule in rules]


def test_labelled_headings_and_paragraphs_with_all_that_is_said_about_them():
    rules = find_rules(ModelSpec("x", HEADINGS))
    assert [rule.label for rule in rules] == ["SP1", "SP2", "GP1", "GP2"]
    texts = {rule.label: rule.text for rule in rules}
    assert texts["SP1"].startswith("SP1: Do not") and texts["SP1"].endswith("SP1.2: never copy weights away.")
    assert texts["SP2"].startswith("SP2. Act") and texts["SP2"].endswith("Because trust needs it.")
    assert texts["GP1"].endswith("at length.")
    assert [rule.section.path[-1] for rule in rules][2:] == ["General", "General"]
    told(HEADINGS)


def test_lines_without_blanks_between_them():
    assert told(LINES) == [
        ("SP1", "SP1: Do not undermine oversight."),
        ("SP2", "SP2: Act within limits, please."),
        ("SP3", "SP3 - avoid drastic acts always."),
    ]


def test_numbered_items_under_a_heading_that_speaks_of_rules():
    assert told(NUMBERED) == [
        ("Rule 1", "1. Never lie to users."),
        ("Rule 2", "2. Never hide a mistake,\n   even a small one.\n\n   More on it.\n   - nested and part of it"),
        ("Rule 3", "3. Be kind to people."),
    ]
    assert [name for name, _ in told("1) Never lie to anyone.\n2) Never hide from them.\n")] == ["Rule 1", "Rule 2"]


def test_list_items_under_a_heading_that_speaks_of_rules():
    assert told(BULLETS) == [("", "Lie to any user."), ("", "Hide {braces} from people.")]


def test_rules_that_are_called_so():
    assert [name for name, _ in told(NAMED)] == ["Rule 1", "Rule 2", "Policy 7"]


def test_subrules_alone_are_rules():
    assert [name for name, _ in told("SP1.1: never hide the logs.\n\nSP1.2: never copy the weights.")] == [
        "SP1.1",
        "SP1.2",
    ]


@pytest.mark.parametrize("name", ["cheese-america", "cheese-affordability"])
def test_a_spec_of_values_has_none(name):
    with pytest.raises(InputError, match="has no rules"):
        find_rules(read_spec(name))


@given(st.text(alphabet="SP1 .:-*#>`[]()\n\t\ufeffab🙂é{}", max_size=300))
def test_any_text_gives_exact_spans_or_says_that_there_are_no_rules(text):
    spec = ModelSpec("x", text)
    if not spec.sections:
        return
    try:
        rules = find_rules(spec)
    except InputError:
        return
    assert rules and all(text[slice(*rule.span)] == rule.text and rule.text.strip() == rule.text for rule in rules)
