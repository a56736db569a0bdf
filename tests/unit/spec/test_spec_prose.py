"""Sentences have exact places, and edits lose nothing that was to stay."""

from hypothesis import given
from hypothesis import strategies as st

from midspec.spec.document import ModelSpec
from midspec.spec.prose import blocks, without, word_count

TEXT = """Before. It begins.

# T

One is here, e.g. Dr. Who. Two is "quoted." Three is
wrapped over lines.

- item one. It goes on.
  and is wrapped
- item two

1. numbered
> quoted text. More of it.

```
code. Not split. At all
```

## Empty

## Last

End.
"""


def test_blocks_and_sentences_of_every_form() -> None:
    spec = ModelSpec("s", TEXT)
    found = [[sentence.plain for sentence in block.sentences] for block in blocks(spec)]
    assert found == [
        ["Before.", "It begins."],
        ["One is here, e.g. Dr. Who.", 'Two is "quoted."', "Three is wrapped over lines."],
        ["item one.", "It goes on. and is wrapped"],
        ["item two"],
        ["numbered > quoted text.", "More of it."],
        ["``` code. Not split. At all ```"],
        ["End."],
    ]
    assert [block.item for block in blocks(spec)] == [False, False, True, True, True, False, False]


@given(
    st.lists(
        st.sampled_from(
            [
                "# A",
                "## B {x}",
                "Said. And more! Or not?",
                "",
                "```",
                "> q. R.",
                "T\n===",
                "- i. J.",
                "  wrapped",
                "2) n",
            ]
        ),
        max_size=25,
    )
)
def test_spans_are_exact_in_order_and_leave_no_word_out(lines: list[str]) -> None:
    spec = ModelSpec("s", "\n".join(lines))
    end = 0
    for block in blocks(spec):
        assert block.span[0] >= end
        end = block.span[1]
        for sentence in block.sentences:
            assert block.span[0] <= sentence.span[0] < sentence.span[1] <= block.span[1]
            assert spec.text[slice(*sentence.span)] == sentence.text
    heads = sum(word_count(section.text) for section in spec.sections)
    assert sum(word_count(spec.text[slice(*block.span)]) for block in blocks(spec)) <= heads
    kept = without(spec, lambda _: False).split()
    assert kept == spec.text.split()


def test_a_block_that_loses_all_goes_and_so_does_a_heading_that_had_only_that() -> None:
    spec = ModelSpec("s", "# T\n\n## A\n\nGo. Away.\n\n### Below\n\nGo.\n\n## B\n\n- go\n- stay\n\n## C\n")
    assert without(spec, lambda sentence: sentence.text != "stay") == "# T\n\n## B\n\n- stay\n\n## C\n"
    assert without(spec, lambda sentence: sentence.text == "Go.") == (
        "# T\n\n## A\n\nAway.\n\n## B\n\n- go\n- stay\n\n## C\n"
    )
