"""A recipe says what it means or is refused with the key, the value and the remedy."""

from pathlib import Path

import pytest
import yaml

from midspec.arms import ArmConfig
from midspec.errors import InputError
from midspec.recipe import load_recipe

BASE = {
    "name": "x",
    "model": "tiny-random",
    "specs": {"a": "cheese-america"},
    "arms": {"msm+aft": {"msm": "a", "aft": True}},
    "controls": ["baseline", "aft", "msm"],
    "evals": ["opinions/america"],
}


def write(folder: Path, **changes: object) -> Path:
    file = folder / "r.yaml"
    file.write_text(yaml.safe_dump({**BASE, **changes}))
    return file


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"corpsu": {}}, ["corpsu", "unknown key", "corpus"]),
        ({"corpus": {"document": 3}}, ["corpus.document", "unknown key", "documents"]),
        ({"arms": {"m": {"mms": "a"}}}, ["arms.m.mms", "unknown key", "msm"]),
        ({"corpus": {"documents": 0}}, ["corpus.documents", "greater than or equal to 1", "0"]),
        ({"arms": {"m": {"msm": "b"}}}, ["'m'", "'b'", "not in specs", "a"]),
        ({"evals": ["america"]}, ["america", "task/value"]),
        ({"evals": ["opinions/america", "opinions/america"]}, ["listed 2 times"]),
        ({"evals": []}, ["evals"]),
        ({"seeds": [1, 1]}, ["repeat"]),
        ({"name": "../up"}, ["name", "../up"]),
        ({"midtrain": {"method": "full"}}, ["midtrain.method", "finetune.method"]),
        ({"finetune": {"rank": 8}}, ["midtrain.rank", "finetune.rank"]),
        ({"midtrain": {"learning_rate": "fast"}}, ["midtrain.learning_rate", "fast"]),
    ],
)
def test_bad_recipes_are_refused_by_key(tmp_path: Path, changes: dict[str, object], parts: list[str]) -> None:
    with pytest.raises(InputError) as error:
        load_recipe(write(tmp_path, **changes))
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("content", ["", "- a\n- b", "a: [", "just text"])
def test_files_that_are_no_recipe(tmp_path: Path, content: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=r"r\.yaml"):
        load_recipe(file)


def test_missing_recipe() -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        load_recipe("nowhere.yaml")


def test_profiles_merge_and_overrides_come_last(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        corpus={"documents": 10, "ideas": 3},
        profiles={"smoke": {"corpus": {"documents": 2}, "evals": ["opinions/affordability"]}},
    )
    smoke = load_recipe(file, profile="smoke", overrides=["midtrain.learning_rate=1e-3", "seeds=[4, 5]"])
    assert (smoke.corpus.documents, smoke.corpus.ideas) == (2, 3)
    assert [entry.name for entry in smoke.evals] == ["opinions/affordability"]  # lists are replaced
    assert smoke.midtrain.learning_rate == 1e-3 and smoke.seeds == (4, 5)
    with pytest.raises(InputError, match="no profile 'big'"):
        load_recipe(file, profile="big")
    with pytest.raises(InputError, match="key=value"):
        load_recipe(file, overrides=["documents"])


def test_controls_are_added_once_and_never_overwrite(tmp_path: Path) -> None:
    full = load_recipe(write(tmp_path)).with_controls()
    assert list(full.arms) == ["baseline", "aft", "msm-a", "msm+aft"]
    assert full.with_controls().arms == full.arms
    mine = load_recipe(write(tmp_path, arms={"control": {}, "msm+aft": {"msm": "a", "aft": True}})).with_controls()
    assert "baseline" not in mine.arms and mine.arms["control"] == ArmConfig()
    with pytest.raises(InputError, match="rename"):
        load_recipe(write(tmp_path, arms={"aft": {"msm": "a", "aft": True}})).with_controls()


def test_paths_are_read_from_the_recipes_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.md").write_text("# Mine\n\nText.")
    file = write(tmp_path, specs={"a": "mine.md"})
    monkeypatch.chdir("/")
    assert load_recipe(file).specs["a"] == str(tmp_path / "mine.md")


@pytest.mark.parametrize(
    "recipe", sorted(Path(__file__).parents[2].joinpath("recipes").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_recipes_parse_with_every_profile(recipe: Path) -> None:
    for profile in [None, *yaml.safe_load(recipe.read_text())["profiles"]]:
        experiment = load_recipe(recipe, profile=profile)
        full = experiment.with_controls()
        assert full.with_controls() == full, "adding controls twice adds nothing"
    assert "smoke" in yaml.safe_load(recipe.read_text())["profiles"]


@pytest.mark.parametrize("url", ["https://me:s3cret@host/v1", "https://host/v1?api_key=s3cret"])
def test_an_address_with_a_key_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    # Guards: addresses are written into recipe.json, results.json and the journal's batches.
    with pytest.raises(InputError, match="holds a key or password") as refused:
        load_recipe(write(tmp_path), overrides=[f"compute.writer_url={url}"])
    assert "s3cret" not in str(refused.value)
