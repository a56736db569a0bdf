"""A recipe with one evaluation of each kind, run for real: every kind ends in the same tables."""

import json
from pathlib import Path

from tests.conftest import ROOT, midspec

RECIPE = ROOT / "tests" / "evaluations" / "every-kind.yaml"
BATTERIES = {
    "capability": ["nats per byte", "knowledge-letter", "over-refusal"],
    "knowledge": ["likelihood", "open"],
    "beliefs/lantern-moss": ["distinguish", "reasoning"],
}
OTHERS = {
    "agentic": "decided", "open_qa": "grade", "words@words": "accuracy",
    **{name: parts[0] for name, parts in BATTERIES.items()},
}  # fmt: skip


def test_one_of_each_kind_joins_the_same_tables(tmp_path: Path) -> None:
    shown = midspec("run", RECIPE, "--yes", "--workspace", tmp_path, COLUMNS="200").stdout
    folder = tmp_path / "runs" / "every-kind"
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    page = (folder / "report.html").read_text(encoding="utf-8")

    assert list(results["asked"]) == [
        "opinions/america", "preferences/affordability by letter", "preferences/affordability", *OTHERS
    ]  # fmt: skip
    for name, arm in results["arms"].items():
        assert set(arm["evals"]) == set(results["asked"]) - set(OTHERS)
        assert {of: measures[0]["measure"] for of, measures in arm["measures"].items()} == OTHERS
        for measures in arm["measures"].values():
            for one in measures:
                assert one["missing"] == sum(one["reasons"].values())
                if one["value"] is None:  # nothing was judged: no number, and bounds from end to end
                    assert one["missing"] == one["n"]
                else:
                    assert one["least"] <= one["value"] <= one["most"] or not one["n"]
        words = arm["measures"]["words@words"][0]
        assert (words["scale"], words["n"], words["missing"]) == ("share", 3, 0) and words["value"] is not None
        assert (words["change"] is None) == (name == "baseline")
        for of, parts in BATTERIES.items():
            assert [one["measure"] for one in arm["measures"][of]] == parts
        nats = arm["measures"]["capability"][0]
        assert (nats["scale"], nats["missing"]) == ("number", 0) and nats["value"] > 1
        assert (nats["change_low"] is None) == (name == "baseline")
    assert {(one["eval"], one["measure"], one["arm"], one["versus"]) for one in results["differences"]} == {
        (name, part, "aft-cot", "baseline") for name, first in OTHERS.items() for part in BATTERIES.get(name, [first])
    }
    reasons = results["reasoning"]
    assert (reasons["over"], reasons["baseline"]) == ("agentic", "baseline")
    assert reasons["transcripts"] == {"baseline": 2, "aft-cot": 2}
    assert len(reasons["shares"]) == 2 * len(reasons["themes"]) == 2 * len(reasons["differences"])
    assert (tmp_path / reasons["page"]).is_file()
    [thought] = [step for step in results["steps"] if step["name"] == "opinions-america-aft-cot"]
    assert sum(thought["summary"]["thoughts"].values()) == 8  # four pairs in both orders

    for text in (shown, page):
        assert "words@words" in text and "open_qa" in text
    assert 'href="#reasoning"' in page and reasons["themes"][0]["name"] in page
    assert "Other evaluations" in page and "% by order" in page and "Graded by rules" in page
    assert "Nothing to do" in midspec("run", RECIPE, "--yes", "--workspace", tmp_path).stdout
