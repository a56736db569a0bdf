"""The generated page must be what the banks are now."""

from midspec.evals.describe import describe
from tests.conftest import ROOT


def test_docs_are_up_to_date() -> None:
    assert (ROOT / "docs" / "banks.md").read_text(encoding="utf-8") == describe(), "run `make docs`"
