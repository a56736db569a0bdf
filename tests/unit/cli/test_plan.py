"""`midspec plan` says of every step who shares it and what it takes, and can be read whatever there is of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from midspec.cli.plan import plan
from midspec.errors import InputError

BASE: dict[str, Any] = {
    "name": "x",
    "model": "tiny-random",
    "models": {"big": {"model": "tiny-random", "chat_template": "chatml"}},
    "specs": {"a": "cheese-america", "b": "cheese-affordability"},
    "corpora": {"b": "cheese-affordability"},
    "corpus": {"documents": 10},
    "aft": {"samples": 12},
    "midtrain": {"tokens": 1000},
    "grid": [{"msm": [None, "a", "b"], "aft": [False, True], "model": [None, "big"]}],
    "controls": [],
    "evals": ["opinions/america"],
    "seeds": [0, 1],
}


def write(folder: Path, name: str = "x", **changes: Any) -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**BASE, "name": name, **changes}, sort_keys=False))
    return file


def said(folder: Path, *arguments: object) -> str:
    found = CliRunner().invoke(plan, [*map(str, arguments), "--workspace", str(folder / "w")])
    if found.exception is not None:
        raise found.exception
    assert not (folder / "w").exists(), "planning makes nothing"
    return found.output


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_a_plan_counts_kinds_and_what_arms_share(tmp_path: Path) -> None:
    text = said(tmp_path, write(tmp_path))
    assert text.startswith("x: 12 arms, 2 models, 2 seeds, 1 evaluation: ")
    table = {line.split()[0]: line.split()[1:] for line in text.splitlines()[2:12]}
    # kind: steps, shared, to do, done
    assert table["corpus"][:4] == ["2", "2", "2", "0"] and table["midtrain"][:5] == ["8", "8", "8", "0", "8.0k"]
    assert table["finetune"][:4] == ["12", "0", "12", "0"] and table["demonstrations"][:2] == ["1", "1"]
    # Of two arms without training each model is evaluated once, whatever the seed.
    assert table["evaluate"][:2] == [str(2 + 10 * 2), "0"]
    assert "Arms: baseline, baseline.big, aft, msm-a, " in words(text) and " msm-b+aft.big" in words(text)


def test_every_step_can_be_listed_and_drawn(tmp_path: Path) -> None:
    file = write(tmp_path, seeds=[0])
    assert "finetune msm-a+aft-seed0" not in said(tmp_path, file)
    assert re.search(r"to do +midtrain a-seed0 +[0-9a-f]{16} +2 arms +train on ~1,000", said(tmp_path, file, "--all"))
    tree = said(tmp_path, file, "--graph").splitlines()
    top = tree.index("tiny-random  = baseline")
    assert tree[top : top + 6] == [
        "tiny-random  = baseline",
        "├─ finetune on demonstrations preferences  [1 to do]  = aft",
        "├─ midtrain on corpus a (1,000 tokens)  [1 to do]  = msm-a",
        "│  └─ finetune on demonstrations preferences  [1 to do]  = msm-a+aft",
        "└─ midtrain on corpus b (1,000 tokens)  [1 to do]  = msm-b",
        "   └─ finetune on demonstrations preferences  [1 to do]  = msm-b+aft",
    ]
    assert "  demonstrations preferences  [to do]  6 arms" in tree and "tiny-random (big)  = baseline.big" in tree


def test_two_hundred_arms_fit_on_a_screen(tmp_path: Path) -> None:
    corpora = {f"c{number}": {"spec": "a", "seed": number} for number in range(100)}
    text = said(tmp_path, write(tmp_path, corpora=corpora, grid=[{"msm": list(corpora), "aft": [False, True]}]))
    assert "x: 200 arms" in text and "and 160 more (--all names them)" in words(text)
    assert len(text.splitlines()) < 40 and max(map(len, text.splitlines()[:-1])) < 200


def test_unequal_corpora_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    """Two specs whose corpora differ in length would be compared by it; nobody sees that in a table of rates."""
    grid, corpora = [{"msm": ["a", "b"], "aft": True}], {"b": {"spec": "b", "documents": 30}}
    apart = write(tmp_path, "apart", grid=grid, corpora=corpora, midtrain={})
    assert "Not matched: midtraining takes about 2,300 tokens of a and 6,900 of b" in said(tmp_path, apart)
    assert "Not matched" in json.loads(said(tmp_path, apart, "--json"))["unmatched"]
    assert "Not matched" not in said(tmp_path, apart, "--set", "midtrain.tokens=matched")
    assert "Not matched" not in said(tmp_path, write(tmp_path, "dose", grid=[{"msm": "a", "msm_tokens": [None, 100]}]))


def test_json_holds_the_graph(tmp_path: Path) -> None:
    found = json.loads(said(tmp_path, write(tmp_path), "--json"))
    steps = {step["fingerprint"]: step for step in found["steps"]}
    assert all(upstream in steps for step in steps.values() for upstream in step["inputs"].values())
    [corpus] = [step for step in steps.values() if (step["kind"], step["name"]) == ("corpus", "a")]
    assert corpus["arms"] == ["msm-a", "msm-a+aft", "msm-a.big", "msm-a+aft.big"]
    assert found["arms"]["msm-a+aft.big"]["model"] == "big"
    assert sum(kind["steps"] for kind in found["kinds"]) == len(steps)


def test_recipes_are_added_up_and_what_they_share_counts_once(tmp_path: Path) -> None:
    first, second = write(tmp_path, "first"), write(tmp_path, "second", grid=[{"msm": ["a", "b"], "aft": True}])
    found = json.loads(said(tmp_path, first, second, "--json"))
    mine, other = ({step["fingerprint"] for step in bill["steps"]} for bill in found["recipes"])
    assert found["together"]["steps"] == len(mine | other) < len(mine) + len(other)
    assert found["together"]["shared"] == len(mine & other) > 0
    text = said(tmp_path, first, second)
    assert re.search(r"first +12 +\d+", text) and re.search(rf"together +14 +{len(mine | other)} ", text)


def test_a_profile_that_some_recipes_have(tmp_path: Path) -> None:
    paper = {"profiles": {"paper": {"seeds": [0, 1, 2, 3]}, "smoke": {}}}
    has, bare = write(tmp_path, "has", **paper), write(tmp_path, "bare")
    other = write(tmp_path, "other", profiles={"smoke": {}})
    found = json.loads(said(tmp_path, has, bare, other, "--profile", "paper", "--json"))
    assert [(bill["name"], len(bill["seeds"])) for bill in found["recipes"]] == [("has", 4), ("bare", 2)]
    assert found["left_out"] == [f"{other}: has no profile 'paper' (smoke), left out"]
    assert "other.yaml: has no profile 'paper' (smoke), left out" in said(tmp_path, has, other, "--profile", "paper")
    assert said(tmp_path, bare, "--profile", "paper").startswith("bare: 12 arms")
    with pytest.raises(InputError, match="no profile 'paper'"):
        said(tmp_path, other, "--profile", "paper")
    with pytest.raises(InputError, match="none of 2 recipes"):
        said(tmp_path, other, other, "--profile", "paper")
