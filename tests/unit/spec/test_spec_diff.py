"""What changed between two specs is told once, in its place, and nothing is lost on the way."""

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from midspec.spec import ModelSpec, diff, read_spec
from midspec.spec.diff_show import as_html, as_text
from midspec.spec.prose import blocks, word_count

A = ModelSpec(
    "a",
    "# T\n\n## One\n\nStays here. Will be changed a little. Will go.\n\n"
    "## Two\n\nMoves away far off. Second of two.\n\n"
    "## Old name\n\nSaid under it. Said also under it.\n\n## Gone\n\nOnly here at all.\n",
)
B = ModelSpec(
    "b",
    "# T\n\n## One\n\nStays here. Will be changed a lot. Wholly new words come.\n\n## Two\n\nSecond of two.\n\n"
    "## New name\n\nSaid under it. Said also under it.\n\n## Fresh\n\nMoves away far off.\n",
)


def test_each_kind_of_change_in_its_section() -> None:
    found = diff(A, B)
    told = {section.title.rpartition(" > ")[2]: section for section in found.sections}
    assert list(told) == ["T", "One", "Two", "New name", "Gone", "Fresh"]
    assert [(change.op, change.b or change.a) for change in told["One"].changes] == [
        ("same", "Stays here."),
        ("changed", "Will be changed a lot."),
        ("removed", "Will go."),
        ("added", "Wholly new words come."),
    ]
    assert [(piece.op, piece.text) for piece in told["One"].changes[1].pieces] == [
        ("same", "Will be changed a"),
        ("removed", "little."),
        ("added", "lot."),
    ]
    assert [change.op for change in told["Two"].changes] == ["same"], "what moved is told once, where it is now"
    assert [change.op for change in told["Fresh"].changes] == ["moved"]
    assert told["New name"].was == "T > Old name" and told["New name"].status == "changed"
    assert {name: section.status for name, section in told.items()} == {
        "T": "same", "One": "changed", "Two": "same", "New name": "changed", "Gone": "removed", "Fresh": "added",
    }  # fmt: skip
    assert found.counts == {"same": 4, "changed": 1, "removed": 2, "added": 1, "moved": 1}
    assert found.kept == 5 / 8 and found.length_ratio == word_count(B.text) / word_count(A.text)


def test_a_spec_and_itself() -> None:
    spec = read_spec("philosophy")
    found = diff(spec, spec)
    assert found.equal and found.kept == found.overlap == found.length_ratio == 1
    assert "the same, byte by byte" in as_text(found)


SENTENCES = st.lists(
    st.sampled_from(["# H", "## I", "", "Aa bb cc.", "Dd ee ff.", "Gg hh ii.", "Aa bb jj."]), max_size=14
)


@settings(max_examples=40)
@given(SENTENCES, SENTENCES)
def test_every_sentence_of_both_is_told_exactly_once(one: list[str], two: list[str]) -> None:
    a, b = ModelSpec("a", "\n".join(one)), ModelSpec("b", "\n".join(two))
    found = diff(a, b)
    changes = [change for section in found.sections for change in section.changes]
    for spec, side in ((a, "a"), (b, "b")):
        told = sorted(text for change in changes if (text := getattr(change, side)) is not None)
        assert told == sorted(sentence.plain for block in blocks(spec) for sentence in block.sentences)
    assert sum(found.counts.values()) == len(changes)
    assert 0 <= found.kept <= 1 and 0 <= found.overlap <= 1
    back = diff(b, a)
    assert back.overlap == found.overlap
    titles = [section.title for section in found.sections]
    assert len(titles) == len(set(titles))


def test_text_shows_signs_and_hides_what_stayed_unless_asked() -> None:
    text = as_text(diff(A, B))
    for line in (
        "~ Will be changed a [-little.-] {+lot.+}",
        "- Will go.",
        "+ Wholly new words come.",
        "> Moves away far off.",
        "## T > New name (changed, was 'T > Old name')",
    ):
        assert line in text.splitlines()
    assert "Stays here." not in text and "  Stays here." in as_text(diff(A, B), everything=True)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_closed_fragment_in_which_every_text_is_escaped() -> None:
    evil = '<script>alert(1)</script> & "quoted" it\'s said.'
    spec = ModelSpec("<b>name</b>", f"# T <img src=x onerror=1>\n\nStays here. {evil}\n")
    for a, b in ((A, spec), (spec, A), (spec, spec)):
        page = Tags()
        page.feed(as_html(diff(a, b)))
        assert page.open == [] and not page.seen & {"script", "img", "b"}
        assert "<script>alert(1)</script>" in page.text and "<b>name</b>" in page.text
