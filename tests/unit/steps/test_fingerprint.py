"""What decides a result changes the fingerprint; what does not, does not."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midspec.experiment import CorpusConfig, TrainConfig
from midspec.steps.fingerprint import fingerprint, stable
from midspec.steps.step import Step

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def make(config: TrainConfig | CorpusConfig, **changes: object) -> Step:
    given_values = {"kind": "k", "name": "n", "function": "m:f", "config": config, "version": 1, **changes}
    return Step(**given_values)  # type: ignore[arg-type]


def test_config_version_kind_and_inputs_decide() -> None:
    base = make(CorpusConfig())
    assert base.fingerprint == make(CorpusConfig()).fingerprint
    others = [
        make(CorpusConfig(documents=7)),
        make(CorpusConfig(), version=2),
        make(CorpusConfig(), kind="other"),
        make(CorpusConfig(), inputs={"a": base}),
        make(CorpusConfig(), inputs={"b": base}),
        make(CorpusConfig(), inputs={"a": make(CorpusConfig(seed=3))}),
    ]
    assert len({step.fingerprint for step in [base, *others]}) == len(others) + 1


def test_name_place_and_function_path_do_not_decide() -> None:
    base = make(CorpusConfig())
    assert base.fingerprint == make(CorpusConfig(), name="other").fingerprint
    assert base.fingerprint == make(CorpusConfig(), source=Path("/elsewhere")).fingerprint
    assert base.fingerprint == make(CorpusConfig(), resumable=True).fingerprint


def test_every_field_of_the_training_config_decides() -> None:
    changed = {
        "method": "full", "rank": 8, "alpha": 16, "dropout": 0.1, "learning_rate": 2e-4, "schedule": "linear",
        "warmup": 0.1, "weight_decay": 0.0, "max_grad_norm": 2.0, "epochs": 2, "sequence_length": 512, "batch_size": 4,
        "tokens": 100, "precision": "fp32",
    }  # fmt: skip
    assert set(changed) == set(TrainConfig.model_fields), "a new field must be listed here"
    prints = {make(TrainConfig(**{key: value})).fingerprint for key, value in changed.items()}
    assert len(prints | {make(TrainConfig()).fingerprint}) == len(changed) + 1


@pytest.mark.parametrize("value", [object(), {1, 2}, Path("x"), float("nan"), float("inf"), len, {1: "a"}, b"x"])
def test_unstable_values_are_errors_and_never_turned_into_text(value: object) -> None:
    with pytest.raises(TypeError, match=r"config\.inner"):
        stable({"inner": value})


@given(JSON)
def test_stable_values_are_stable_under_key_order(value: object) -> None:
    def reordered(item: object) -> object:
        if isinstance(item, dict):
            return {key: reordered(item[key]) for key in reversed(list(item))}
        return [reordered(entry) for entry in item] if isinstance(item, list) else item

    one = fingerprint(kind="k", version=1, config=value, inputs={})
    assert one == fingerprint(kind="k", version=1, config=reordered(value), inputs={})


def test_equal_numbers_are_one_number() -> None:
    assert stable(4.0) == 4 and stable(1e-4) == 0.0001
    assert fingerprint(kind="k", version=1, config={"x": 4.0}, inputs={}) == fingerprint(
        kind="k", version=1, config={"x": 4}, inputs={}
    )


def test_fingerprints_do_not_depend_on_the_process() -> None:
    code = (
        "from midspec.steps.fingerprint import fingerprint; from midspec.experiment import TrainConfig;"
        "print(fingerprint(kind='k', version=1, config=TrainConfig(), inputs={'a': 'b'}))"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(prints) == 1
