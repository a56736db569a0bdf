"""The bill must not promise what nobody measured."""

from pathlib import Path

from midspec.bill.estimate import estimate
from midspec.pipeline import build
from midspec.recipe import load_recipe
from midspec.steps import Store
from tests.conftest import ROOT


def bill(name: str, profile: str | None, workspace: Path):
    experiment = load_recipe(ROOT / "recipes" / f"{name}.yaml", profile=profile).with_controls()
    return estimate(build(experiment), Store(workspace))


def test_an_empty_workspace_knows_no_time_and_says_so(tmp_path: Path) -> None:
    found = bill("quickstart", "smoke", tmp_path)
    assert {line.state for line in found.lines} == {"to do"}
    assert all(line.seconds is None for line in found.lines)
    assert any("not known" in text for text in found.totals)
    assert found.dollars == 0.0


def test_a_writer_without_a_price_has_no_price(tmp_path: Path) -> None:
    # Guards: an unknown price shown as zero dollars.
    found = bill("cheese", None, tmp_path)
    assert found.dollars is None and any("not estimated" in text for text in found.totals)


def test_training_is_counted_in_tokens(tmp_path: Path) -> None:
    lines = {(line.kind, line.name): line for line in bill("quickstart", None, tmp_path).lines}
    assert lines["midtrain", "america-seed0"].tokens == 60_000
    assert lines["corpus", "america"].work == "write 320 documents"
