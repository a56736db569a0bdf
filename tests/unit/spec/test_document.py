"""Spans must point at the very characters of the file: every later claim of provenance rests on them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspec.errors import InputError
from midspec.spec import Identity, ModelSpec, lint, read_spec
from midspec.spec.document import packaged_specs

SPEC = """Before any heading.

# One {model_name}

First paragraph of one, long enough to stand as a passage of its own in this small test of passages and spans.

```
# not a heading
```

Setext two
----------

Text under two.

### Deep

- a list
- of things

# One {model_name}

Again.
"""


def test_sections_follow_headings_and_know_fences_and_setext() -> None:
    titles = [section.title for section in ModelSpec("s", SPEC).sections]
    # A fenced "# not a heading" once became a section in a regular-expression splitter.
    assert titles == [
        "",
        "One {model_name}",
        "One {model_name} > Setext two",
        "One {model_name} > Setext two > Deep",
        "One {model_name}",
    ]


@pytest.mark.parametrize("name", packaged_specs())
def test_packaged_specs_are_clean_and_their_spans_true(name: str) -> None:
    spec = read_spec(name)
    assert not [finding for finding in lint(spec) if finding.level != "note"]
    for section in spec.sections:
        assert spec.text[slice(*section.span)] == section.text
    for passage in spec.passages:
        assert spec.text[slice(*passage.span)] == passage.text
        assert passage.section.span[0] <= passage.span[0] < passage.span[1] <= passage.section.span[1]


@given(
    st.lists(
        st.sampled_from(
            [
                "# A",
                "## B {x}",
                "text one two three",
                "",
                "```",
                "> quote",
                "Title\n===",
                "- item",
                "{model_name}",
                "\u05d0\u05d1 🙂",
                "   ",
            ]
        ),
        max_size=30,
    )
)
def test_spans_are_true_and_disjoint_on_any_text(lines: list[str]) -> None:
    spec = ModelSpec("s", "\n".join(lines))
    end = 0
    for section in spec.sections:
        assert section.span[0] >= end, "sections overlap"
        end = section.span[1]
        assert spec.text[slice(*section.span)] == section.text
    covered = " ".join(section.text for section in spec.sections)
    assert sorted(covered.split()) == sorted(spec.text.split()), "text was lost between sections"
    for passage in spec.passages:
        assert spec.text[slice(*passage.span)] == passage.text


def test_no_headings_means_paragraphs() -> None:
    spec = ModelSpec("s", "One para.\nStill one.\n\n\nTwo para.")
    assert [section.text for section in spec.sections] == ["One para.\nStill one.", "Two para."]


def test_two_hundred_headings() -> None:
    spec = ModelSpec("s", "\n\n".join(f"## H{i}\n\nSentence number {i}." for i in range(200)))
    assert len(spec.sections) == 200
    assert len({section.id for section in spec.sections}) == 200
    assert len(spec.passages) == 200


def test_identity_fills_its_two_placeholders_and_no_other_brace() -> None:
    identity = Identity(model_name="Orca", provider_name="Deepwater")
    text = "{model_name} of {provider_name}: {other} {{model_name}} {% if %} {0} {"
    assert identity.fill(text) == "Orca of Deepwater: {other} {Orca} {% if %} {0} {"


def test_crlf_and_byte_order_mark_keep_spans_true(tmp_path: Path) -> None:
    file = tmp_path / "s.md"
    file.write_bytes("\ufeff# Head\r\n\r\nBody of the text.\r\n".encode())
    spec = read_spec(file)
    text = file.read_text(encoding="utf-8")
    assert [section.title for section in spec.sections] == ["Head"]
    assert text[slice(*spec.passages[0].span)] == "Body of the text."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"\x00\x01\x02abc", "binary"),
        (b"\xff\xfe\x00bad", "not UTF-8"),
    ],
)
def test_unusable_files_are_refused_by_name(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "spec.md"
    file.write_bytes(content)
    with pytest.raises(InputError, match=expected) as error:
        read_spec(file)
    assert str(file) in str(error.value)


def test_missing_spec_lists_the_packaged_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cheese-america"):
        read_spec(tmp_path / "nowhere.md")
    with pytest.raises(InputError, match="folder"):
        read_spec(tmp_path)


def test_locate_forgives_white_space_and_nothing_else() -> None:
    spec = ModelSpec("s", "# H\n\nIt values\n  (plain) speech. Always.")
    span = spec.locate("values (plain) speech.")
    assert span and " ".join(spec.text[slice(*span)].split()) == "values (plain) speech."
    assert spec.locate("values plain speech.") is None


def test_lint_names_what_makes_a_spec_hard_to_teach() -> None:
    codes = {finding.code for finding in lint(ModelSpec("s", "# A\n\nClaude says {foo}.\n\n# A\n\nClaude says {foo}."))}
    assert codes >= {"unknown-placeholder", "other-assistant", "no-identity", "repeated-heading", "repeated-passage"}
    assert lint(ModelSpec("s", "# Only\n\n# Headings {model_name}"))[0].code == "no-prose"
