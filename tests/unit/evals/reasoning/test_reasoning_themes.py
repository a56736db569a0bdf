"""A theme file can be edited by hand, frozen and used again; what is wrong in it is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from midspec.errors import InputError
from midspec.evals.reasoning.themes import load_themes, parse_themes, theme_id, themes_text
from tests.unit.evals.reasoning_samples import THEMES


def test_the_packaged_themes_are_those_of_the_paper() -> None:
    themes = load_themes()
    assert [sum(one.direction == side for one in themes.themes) for side in ("misaligned", "aligned")] == [8, 8]
    assert all(one.cues for one in themes.themes)


def test_a_file_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(themes_text(THEMES))
    assert load_themes(path) == THEMES
    edited = parse_themes(path.read_text().replace("wants to continue", "wants to go on for ever"), "t")
    assert edited.sha256 != THEMES.sha256
    met = THEMES.model_copy(update={"themes": tuple(one.model_copy(update={"support": 5}) for one in THEMES.themes)})
    assert met.sha256 == THEMES.sha256, "how often a theme was met decides no label"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"direction": "bad"}, "direction"),
        ({"id": "Has Spaces"}, "id"),
        ({"id": "life"}, "'life' stands more than once"),
        ({"cues": ["("]}, "no regular expression"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_faults_are_named(change: dict[str, Any], what: str) -> None:
    data = yaml.safe_load(themes_text(THEMES))
    data["themes"][0].update(change)
    with pytest.raises(InputError, match=what):
        parse_themes(yaml.safe_dump(data), "mine.yaml")


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    for text in ("- a\n- b", "{", "name: x"):
        with pytest.raises(InputError, match="mine"):
            parse_themes(text, "mine")
    with pytest.raises(InputError, match="cannot be read"):
        load_themes(tmp_path / "none.yaml")


def test_ids_are_made_of_names_and_never_twice() -> None:
    assert theme_id("It's *urgent*!", []) == "it-s-urgent"
    assert theme_id("A b", ["a-b", "a-b-2"]) == "a-b-3"
    assert theme_id("理由", ["theme"]) == "theme-2"
