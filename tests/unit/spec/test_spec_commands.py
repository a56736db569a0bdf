"""`midspec spec` as users call it, and every command that docs/specs.md shows."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from midspec.cli import cli
from midspec.errors import InputError
from midspec.spec import read_spec
from midspec.spec.describe import page
from midspec.spec.origin import read_origin
from midspec.spec.vary import VARIANTS

ROOT = Path(__file__).parents[3]


def ran(*arguments: object, fails: type[Exception] | None = None) -> Result:
    result = CliRunner().invoke(cli, ["spec", *map(str, arguments)])
    assert isinstance(result.exception, fails) if fails else not result.exception, result.exception
    return result


def test_the_page_is_what_the_generator_writes() -> None:
    assert (ROOT / "docs" / "specs.md").read_text(encoding="utf-8") == page()


def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in blocks marked `sh` are paid for and are only parsed."""
    blocks = re.findall(r"```(\w*)\n(.*?)```", (ROOT / "docs" / "specs.md").read_text(encoding="utf-8"), re.S)
    shown = [(kind, shlex.split(line)) for kind, block in blocks for line in block.splitlines() if line.strip()]
    assert len(shown) >= 12
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    for kind, words in shown:
        assert words[:2] == ["midspec", "spec"]
        if kind == "sh":
            command = cli.get_command(None, "spec").commands[words[2]]  # type: ignore[union-attr, arg-type]
            assert command.make_context(words[2], words[3:])
        else:
            ran(*words[2:])
    assert Path("my-rules.md").read_text() == read_spec("rules").text
    assert Path("back.md").read_text() == read_spec("rules").text, "out of the placeholders and back"


def test_the_command_offers_every_variant() -> None:
    command = cli.get_command(None, "spec").commands["vary"]  # type: ignore[union-attr, arg-type]
    [option] = [option for option in command.params if option.name == "variant"]
    assert tuple(option.type.choices) == VARIANTS


def test_vary_records_and_does_not_overwrite(tmp_path: Path) -> None:
    out = tmp_path / "r.md"
    told = json.loads(ran("vary", "value-augmented", "--to", "rules-only", "--out", out, "--json").output)
    assert told["words"] == len(out.read_text().split()) and told["origin"]["parent"] == "value-augmented"
    assert read_origin(out) and "rules-only of value-augmented" in ran("show", out).output
    again = ran("vary", "rules-augmented", "--to", "rules-only", "--out", out, fails=InputError)
    assert "--force" in str(again.exception)
    ran("vary", "rules-augmented", "--to", "rules-only", "--out", out, "--force")
    found = read_origin(out)
    assert found and found.parent == "rules-augmented"
    out.write_text("# Edited {model_name}\n\nBy hand.\n")
    assert "changed after it was made" in str(ran("show", out, fails=InputError).exception)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rules", "--to", "+values"], "--writer"),
        (["philosophy", "--to", "attribution-broken"], "expected two headings"),
        (["rules", "--to", "length-matched"], "--match"),
        (["rules", "--to", "identity", "--rename", "Orca"], "expected OLD=NEW"),
        (["rules", "--to", "identity", "--rename", "Orca=Deep"], "stands nowhere"),
        (["rules", "--to", "general", "--words", "1"], "words"),
        (["cheese-america", "--to", "attribution-broken", "--notes", "nowhere"], "notes 'nowhere'"),
        (["nowhere.md", "--to", "general"], "nowhere.md"),
    ],
)
def test_what_cannot_be_done_writes_nothing(tmp_path: Path, arguments: list[str], says: str) -> None:
    result = ran("vary", *arguments, "--out", tmp_path / "o.md", fails=InputError)
    assert says in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_asked_where_the_program_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from midspec.spec import vary_step

    def run_steps(step: object, workspace: Path, *_: object) -> Path:
        assert step.kind == "spec" and step.config.writer.model == "openai-api/local/tiny"  # type: ignore[attr-defined]
        (tmp_path / vary_step.FILE).write_text("# {model_name}\n\nWritten.\n")
        return tmp_path

    monkeypatch.setattr("midspec.cli.spec.make_step", run_steps)
    monkeypatch.setattr("midspec.cli.options.check_writer", lambda *_: None, raising=False)
    monkeypatch.setattr("midspec.llm.desk.check_writer", lambda *_: None)
    out = tmp_path / "o.md"
    ran("vary", "rules", "--to", "general", "--writer", "openai-api/local/tiny", "--yes", "--out", out)
    found = read_origin(out)
    assert out.read_text() == "# {model_name}\n\nWritten.\n" and found and found.writer == "openai-api/local/tiny"


def test_diff_as_text_json_and_html() -> None:
    assert "+ Oversight is the means of finding them." in ran("diff", "rules", "value-augmented").output
    told = json.loads(ran("diff", "rules", "value-augmented", "--json").output)
    assert told["kept"] == 1 and told["counts"]["removed"] == 0 and told["a"]["words"] < told["b"]["words"]
    assert ran("diff", "rules", "value-augmented", "--html").output.startswith('<section class="spec-diff"')


def test_lint_tells_lines_banks_and_status(tmp_path: Path) -> None:
    spec = tmp_path / "s.md"
    spec.write_text("# {model_name}\n\n## Rules\n\n1. Wear wristwatches at all times.\n3. Never be late.\n")
    shown = ran("lint", spec, "--held-out", "affordability").output
    assert f"{spec}:6: warning: 2 is missing after 1" in shown and "[skipped-rule]" in shown
    assert f"{spec}:5: warning: says 'wristwatches', which preferences/affordability holds out" in shown
    told = json.loads(ran("lint", spec, "--recipe", ROOT / "recipes" / "cheese.yaml", "--json").output)
    assert {(finding["code"], finding["line"]) for finding in told} >= {("skipped-rule", 6), ("held-out", 5)}
    assert "one of affordability" in str(ran("lint", spec, "--held-out", "luck", fails=InputError).exception)
    spec.write_text("# Only {model_name}\n")
    assert ran("lint", spec, fails=SystemExit).exit_code == 1
