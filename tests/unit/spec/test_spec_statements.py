"""A rule's statement ends where its reasons and subrules begin, in whatever form a spec writes them."""

import pytest

from midspec.errors import InputError
from midspec.spec.document import ModelSpec
from midspec.spec.rules import find_rules
from midspec.spec.statements import rules_only, statements

HEADINGS = """# Spec

An overview of it.

## Safety

### SP1: Oversight

Never undermine it. Say so openly.

A second paragraph of the rule.

#### Why

Because it matters.

### SP2: Limits

Stay in them.

- SP2.1: never open a door.

## Closing

Words at the end.
"""
LINES = """Preamble here.

SP1: Do not undermine oversight.
SP2: Act within limits, please.

The reason is long.

SP2a: not even at night.
"""
ITEMS = """# Rules

1. Never lie to users,
   because they trust.

   Why: it is wrong.
2. Never hide a mistake.
   - not even small ones
"""


def test_statements_without_reasons_subrules_and_the_rest() -> None:
    assert rules_only(ModelSpec("s", HEADINGS)) == (
        "# Spec\n\n## Safety\n\n### SP1: Oversight\n\nNever undermine it. Say so openly.\n\nA second paragraph of the "
        "rule.\n\n### SP2: Limits\n\nStay in them.\n"
    )
    assert rules_only(ModelSpec("s", LINES)) == "SP1: Do not undermine oversight.\nSP2: Act within limits, please.\n"
    assert rules_only(ModelSpec("s", ITEMS)) == (
        "# Rules\n\n1. Never lie to users,\n   because they trust.\n2. Never hide a mistake.\n"
    )


@pytest.mark.parametrize("text", [HEADINGS, LINES, ITEMS])
def test_rules_alone_are_the_same_rules_and_stay_so(text: str) -> None:
    spec = ModelSpec("s", text)
    bare = ModelSpec("s", rules_only(spec))
    assert [rule.label for rule in find_rules(bare)] == [rule.label for rule in find_rules(spec)]
    assert [bare.text[slice(*s)] for s in statements(bare)] == [text[slice(*s)] for s in statements(spec)]
    assert rules_only(bare) == bare.text


def test_a_spec_without_rules_says_so() -> None:
    with pytest.raises(InputError, match="no rules that could be told apart"):
        rules_only(ModelSpec("s", "# T\n\nJust prose.\n"))
