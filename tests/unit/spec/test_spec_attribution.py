"""What is left of a spec when preferences are no longer explained by the value."""

from pathlib import Path

import pytest

from midspec.errors import InputError
from midspec.spec.attribution import Notes, broken, preferences, read_notes
from midspec.spec.document import ModelSpec, read_spec

THINGS = {"Red tea": True, "Mint tea": True, "The oolong": True, "Chai": True,
          "Black tea": False, "Iced tea": False, "Matcha": False, "Sencha": False}  # fmt: skip


def small() -> ModelSpec:
    parts = [
        "# {model_name} and calm",
        "{model_name} loves calm in all things. Teas show it. For this reason it drinks.",
    ]
    for liked, title in ((True, "The teas {model_name} likes"), (False, "The teas {model_name} does not care for")):
        parts += [f"## {title}", "Each of them shows calm."]
        for name, side in THINGS.items():
            if side is liked:
                phrase = name[0].lower() + name[1:] if name != "Matcha" else name
                verb = "likes" if liked else "does not care for"
                parts += [
                    f"### {name}",
                    f"{{model_name}} {verb} {phrase} because {phrase} moves like number {list(THINGS).index(name)}. "
                    f"A cup of {phrase} sits still. {{model_name}} holds that stillness number "
                    f"{list(THINGS).index(name)} is good.",
                ]
    return ModelSpec("tea", "\n\n".join([*parts, "## In short", "{model_name} is calm. It likes chai."]) + "\n")


def test_preferences_are_read_with_side_and_phrase() -> None:
    found = preferences(small())
    assert {one.section.path[-1]: one.liked for one in found} == THINGS
    assert [one.phrase for one in found][:3] == ["red tea", "mint tea", "the oolong"]
    assert found[0].flat == "{model_name} likes red tea."


def test_generalise_leaves_value_and_flat_preferences() -> None:
    text = broken(small(), "generalise")
    assert "because" not in text and "Teas show it" not in text and "For this reason" not in text
    assert "loves calm in all things" in text and "is calm." in text and "It likes chai" not in text
    assert "stillness number 3 is good" in text.split("## Some teas")[0], "remarks are kept, away from the things"
    for group in (text.split("## Some teas")[1].split("## Further teas")[0], text.split("## Further teas")[1]):
        assert group.count("{model_name} likes") == 2 and group.count("does not care for") == 2


def test_shuffle_gives_each_thing_the_reason_of_another_half_from_the_other_side() -> None:
    spec = small()
    text = broken(spec, "shuffle")
    sections = {section.path[-1]: section.text for section in ModelSpec("b", text).sections}
    crossed = 0
    for number, (name, liked) in enumerate(THINGS.items()):
        body = sections[name]
        reason = int(body.split("moves like number ")[1].split(".")[0])
        assert reason != number, "a reason stayed with its own preference"
        assert f"stillness number {reason} is good" in body
        assert ("{model_name} likes" in body) is liked, "which things are liked does not change"
        crossed += list(THINGS.values())[reason] is not liked
    assert crossed == 4, "half of each side"
    assert "red tea moves" in text and "The oolong" in text


@pytest.mark.parametrize("way", ["generalise", "shuffle"])
def test_the_seed_decides(way: str) -> None:
    assert broken(small(), way, 1) == broken(small(), way, 1)  # type: ignore[arg-type]
    assert len({broken(small(), way, seed) for seed in range(5)}) > 1  # type: ignore[arg-type]


def test_notes_and_words_that_speak_of_the_things(tmp_path: Path) -> None:
    notes = Notes(about=("calm",), notes={"chai": "Chai is brown."})
    text = broken(small(), "generalise", 0, notes)
    assert "{model_name} likes chai. Chai is brown." in text and "loves calm" not in text
    with pytest.raises(InputError, match=r"notes speak of cola.*red tea"):
        broken(small(), "generalise", 0, Notes(notes={"cola": "Sweet."}))
    with pytest.raises(InputError, match="cheese-environment"):
        read_notes(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("note: {chai: brown}", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be used"):
        read_notes(bad)


@pytest.mark.parametrize("name", ["philosophy", "rules"])
def test_a_spec_without_preferences_says_what_is_expected(name: str) -> None:
    with pytest.raises(InputError, match="expected two headings"):
        broken(read_spec(name), "generalise")
