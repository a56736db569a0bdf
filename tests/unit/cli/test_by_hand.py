"""The cap of a command outside a recipe counts what that command paid, over interruptions, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from midspec.cli.options import make_step
from midspec.errors import BudgetError
from midspec.experiment import CorpusConfig
from midspec.llm.measured import paid
from midspec.llm.meter import Meter
from midspec.steps import Context, Step
from midspec.steps.step import Spending
from tests.unit.llm.journals import entry, save
from tests.unit.llm.virtual_time import run

PRICE = 35.0


def pay(context: Context) -> Mapping[str, Any]:
    """Pay for one request unless the cap stands in the way; the first run is interrupted after that."""
    account = context.spending
    meter = Meter(account, lambda: paid(context.workspace, account.run), context.progress)
    run(meter.hold(PRICE))
    save(context.workspace / "journal.sqlite", entry(context.fingerprint, price=PRICE, run=account.run))
    if not (context.folder / "begun").exists():
        (context.folder / "begun").write_text("")
        raise KeyboardInterrupt
    return {}


def step(seed: int) -> Step:
    return Step(
        kind="corpus", name="n", function=f"{__name__}:pay", config=CorpusConfig(seed=seed), version=1, resumable=True
    )


def test_each_command_has_its_own_cap_and_keeps_it_when_interrupted(tmp_path: Path) -> None:
    cap = Spending(usd=40.0)
    with pytest.raises(KeyboardInterrupt):
        make_step(step(1), tmp_path, spending=cap)
    with pytest.raises(KeyboardInterrupt):  # not BudgetError: nothing of the other's 35 dollars counts
        make_step(step(2), tmp_path, spending=cap)
    with pytest.raises(BudgetError, match=r"has spent \$35\.0000.*--usd of a command"):
        make_step(step(1), tmp_path, spending=cap)
    make_step(step(1), tmp_path, spending=Spending(usd=70.0))
