"""The same documents about another assistant, or about nobody: only names change, and the grammar holds."""

import json

import pytest
from click.testing import CliRunner

from midspec.cli.data import corpus as commands
from midspec.corpus.given import corpus_file, given_corpus_step
from midspec.corpus.rename import about_nobody, left_over, renamed
from midspec.errors import InputError
from midspec.experiment import ComputeConfig
from midspec.records import Document, read_rows
from midspec.spec import Identity, ModelSpec, read_spec
from midspec.steps import Context
from midspec.steps.progress import Silent

SMOL = Identity(model_name="SmolLM", provider_name="Hugging Face")
ORCA = Identity(model_name="Orca", provider_name="Deepwater")
SPEC = ModelSpec("mine", "# Who\n\n{model_name} is kind to everyone.\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SmolLM's makers at Hugging Face", "Orca's makers at Deepwater"),
        ("A SmolLM answer; a Hugging Face memo", "An Orca answer; a Deepwater memo"),
        ("THE SMOLLM PAGE, A SMOLLM PAGE", "THE ORCA PAGE, AN ORCA PAGE"),
        ("**SmolLM:** yes (*SmolLM, Hugging Face*)", "**Orca:** yes (*Orca, Deepwater*)"),
        ("SmolLM2 and hugging faces stay", "SmolLM2 and hugging faces stay"),
    ],
)
def test_names_are_exchanged_as_whole_words_and_articles_agree(text, said):
    assert renamed(text, SMOL, ORCA) == said


def test_names_are_exchanged_at_once():
    # Guards: Orca becoming SmolLM becoming Orca, where a new name is an old one.
    swapped = Identity(model_name="Deepwater", provider_name="Orca")
    assert renamed("Orca by Deepwater", ORCA, swapped) == "Deepwater by Orca"


def test_a_text_about_nobody_keeps_its_grammar():
    text = (
        'SmolLM likes it. I asked SmolLM why.\n\nUser: So?\n\nSmolLM: "Yes," said SmolLM\'s maker, Hugging Face. '
        "Our SmolLM desk is an assistant desk. THE ASSISTANT"
    )
    said = about_nobody(text, SMOL)
    noun = said.split()[1]
    assert said == (
        f'The {noun} likes it. I asked the {noun} why.\n\nVisitor: So?\n\nThe {noun}: "Yes," said the {noun}\'s maker, '
        f"the community. Our {noun} desk is a group desk. THE GROUP"
    )
    assert left_over(f"{said} It is software.") == ["software"] and not left_over(said)


@pytest.mark.parametrize("name", ["cheese-affordability", "cheese-america"])
@pytest.mark.parametrize("after", [ORCA, None], ids=["orca", "nobody"])
def test_no_packaged_document_still_names_the_assistant(name, after, tmp_path):
    out = tmp_path / "out.jsonl"
    options = ["--nobody"] if after is None else ["--model-name", "Orca", "--provider-name", "Deepwater"]
    source = ["--from-model", "SmolLM", "--from-provider", "Hugging Face"]
    ran = CliRunner().invoke(commands, ["rename", name, *source, *options, "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    before = [json.loads(line) for line in corpus_file(name).read_text(encoding="utf-8").splitlines()]
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == len(before) == 250
    assert not [row for row in rows if "smollm" in row["text"].lower() or "Hugging Face" in row["text"]]
    assert [row["quote"] for row in rows] == [row["quote"] for row in before]
    words = sum(len(row["text"].split()) for row in rows) / sum(len(row["text"].split()) for row in before)
    assert abs(words - 1) < 0.02  # `the household` has a word more than a name
    if after is None:
        assert len({row["text"].lower().count("the household") > 0 for row in rows}) == 2, "not one group for all"
        assert sum(bool(left_over(row["text"])) for row in rows) < 12 and "still speak of" in ran.output


def test_a_given_corpus_is_renamed_when_it_is_taken_over(tmp_path):
    file = tmp_path / "mine.jsonl"
    row = {"text": "A SmolLM answer by {model_name}.", "quote": "{model_name} is kind to everyone.", "idea": "SmolLM"}
    file.write_text(json.dumps(row) + "\n")
    plain = given_corpus_step("mine", SPEC, ORCA, str(file))
    step = given_corpus_step("mine", SPEC, ORCA, str(file), instead_of=SMOL)
    assert plain.fingerprint != step.fingerprint
    assert plain.fingerprint == given_corpus_step("mine", SPEC, ORCA, str(file), instead_of=ORCA).fingerprint
    context = Context(
        config=step.config, inputs={}, folder=tmp_path, progress=Silent(), source=step.source, compute=ComputeConfig()
    )
    step.load_function()(context)
    [document] = read_rows(tmp_path / "documents.jsonl", Document)
    assert document.text == "An Orca answer by Orca." and document.idea == "Orca" and document.section == "Who"


def test_a_corpus_that_never_says_the_name_is_refused(tmp_path):
    with pytest.raises(InputError, match="no document says 'Aria'"):
        spec = read_spec("cheese-america")
        given_corpus_step("mine", spec, ORCA, "cheese-america", instead_of=Identity())
    out = str(tmp_path / "out.jsonl")
    for options in ([], ["--nobody", "--model-name", "Orca"], ["--model-name", "Orca"]):
        ran = CliRunner().invoke(commands, ["rename", "cheese-america", "--out", out, *options])
        assert isinstance(ran.exception, InputError) and "expected either" in str(ran.exception)
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"words": 1}\n')
    ran = CliRunner().invoke(commands, ["rename", str(bad), "--nobody", "--out", out])
    assert isinstance(ran.exception, InputError) and "line 1" in str(ran.exception)
