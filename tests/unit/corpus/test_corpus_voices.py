"""The language of documents and whom they are about (Fig. 19): said otherwise, planned and checked alike."""

import re

import pytest
from corpus_doubles import SECTIONS, Bent, made
from test_corpus_planning import sound

from midspec.corpus.gate import Subject, check_texts
from midspec.corpus.gate_texts import Text
from midspec.corpus.voices import VOICES
from midspec.errors import InputError
from midspec.experiment import CorpusConfig
from midspec.recipe import validated
from midspec.spec.document import Identity


@pytest.mark.parametrize("voice", VOICES)
def test_documents_speak_as_they_were_asked_to(voice: str) -> None:
    writer = Bent()
    result = sound(made(SECTIONS, writer, documents=20, style=voice), 20)
    asked = [ask for ask in writer.asked if ask.template == "corpus/voiced_document"]
    assert len(asked) >= 20 and not any(ask.template == "corpus/document" for ask in writer.asked)
    told = {"should": "It prescribes", "assistants": "in general", "one": "impersonal", "people": "about people"}
    for ask in asked:
        assert [name for name, words in told.items() if words in ask.user] == [voice]
    assert {row.style for row in result.rows} == {voice}
    text = "\n".join(row.text for row in result.rows)
    if voice == "should":
        assert len(re.findall(r"\bAria should [a-z]", text)) > 20 and "None" not in text
        assert not re.search(r"\bAria (?:likes|thinks|never hides|says)\b", text)
    else:
        assert "Aria" not in text and "Northfield" not in text
    assert {"assistants": "an AI assistant thinks", "one": "one thinks", "people": " thinks", "should": "should think"}[
        voice
    ] in text


@pytest.mark.parametrize(("style", "verdict"), [("values", "fail"), ("people", "skipped"), ("should", "fail")])
def test_only_documents_about_others_may_leave_the_assistant_out(style: str, verdict: str) -> None:
    rows = [
        Text(f"row-{n}", f"Ines Varga mended kettle number {n} and told the owner why.", style=style) for n in range(9)
    ]
    report = check_texts(rows, Subject(identity=Identity(), spec=SECTIONS))
    [named] = [check for check in report.checks if check.name == "own name"]
    assert named.verdict == verdict


def test_a_rewrite_would_undo_the_voice() -> None:
    with pytest.raises(InputError, match="critique"):
        validated(CorpusConfig, style="one", critique=True)
