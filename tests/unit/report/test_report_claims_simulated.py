"""Experiments whose truth is known, from rows on disk to the words of the page.

docs/statistics.md has many more of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarks.experiments import WORLDS, Site, read_page, simulate

from midspec.stats import claims

NULL, ONE, MIXED = WORLDS[0], WORLDS[3], WORLDS[4]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(Path(tmp_path_factory.mktemp("simulated")))


def test_wrong_claims_do_not_come_out(site: Site) -> None:
    found = simulate(site, NULL, 5, seed=0, every=5)
    assert (found.experiments, found.wrong, found.pages, found.misread) == (5, 0, 1, 0)


def test_right_claims_come_out_and_the_page_says_so(site: Site) -> None:
    one = simulate(site, ONE, 2, seed=3000, every=1)
    mixed = simulate(site, MIXED, 3, seed=4000, every=3)
    assert (one.wrong, one.misread, one.pages, mixed.wrong, mixed.misread) == (0, 0, 2, 0, 0)
    right, asked = one.power["higher, shift of plain/affordability"]
    assert right > asked / 2
    right, asked = mixed.power["efficiency, headline of plain/affordability"]
    assert right > asked / 2


def test_false_claims_would_be_seen(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same experiments with every claim decided by its sign: a count that finds nothing then counts nothing."""

    def decide(p: Sequence[float | None], alpha: float) -> tuple[list[tuple[int, bool]], list[float | None]]:
        return [(1, value is not None) for value in p], list(p)

    monkeypatch.setattr(claims, "_step_down", decide)
    found = simulate(site, NULL, 2, seed=0)
    assert (found.wrong, found.misread) == (2, 0)
    assert found.false_claims > found.claims / 2


def test_the_page_is_read_by_its_words_and_not_by_its_data() -> None:
    card = '<article class="claim" data-verdict="supported"><h3 id="x"><span>Undecided</span>: a &amp; b</h3></article>'
    assert read_page(card) == ["undecided"]
