"""A product of factors gives exactly the conditions it says, each once, under a name that no other has."""

from typing import Any

import pytest

from midspec.arms import ArmConfig, GridConfig, arm_name, baseline_of, compared, controls, expand

SETS = {"rules": 100, "values": 200}
ONE = {"aft": 100}


def grid(
    sets: dict[str, int] = SETS, single: dict[str, ArmConfig] | None = None, **factors: Any
) -> dict[str, ArmConfig]:
    return expand(single or {}, [GridConfig.model_validate(factors)], sets)


@pytest.mark.parametrize(
    ("arm", "name"),
    [
        ({}, "baseline"),
        ({"model": "qwen3-32b"}, "baseline.qwen3-32b"),
        ({"msm": "rules"}, "msm-rules"),
        ({"aft": True, "cot": True}, "aft-cot"),
        ({"msm": "values", "aft": "rules", "cot": True}, "msm-values+aft-rules-cot"),
        ({"msm": "general", "msm_tokens": 1_000_000, "aft": True}, "msm-general-1000000+aft"),
        ({"aft": True, "aft_samples": 5000, "model": "qwen3-32b"}, "aft-5000.qwen3-32b"),
        ({"msm": "a", "aft": True, "after": "generic"}, "msm-a+aft+then-generic"),
        ({"after": "generic"}, "baseline+then-generic"),
    ],
)
def test_names(arm: dict[str, Any], name: str) -> None:
    assert arm_name(ArmConfig(**arm)) == name


def test_a_product_holds_every_combination_once_and_none_that_makes_no_difference() -> None:
    found = grid(msm=[None, "a"], msm_tokens=[None, 1000], aft=[False, "rules"], cot=[False, True])
    assert list(found) == [
        "baseline", "aft-rules", "aft-rules-cot", "msm-a", "msm-a+aft-rules", "msm-a+aft-rules-cot",
        "msm-a-1000", "msm-a-1000+aft-rules", "msm-a-1000+aft-rules-cot",
    ]  # fmt: skip
    assert len(set(found.values())) == len(found)
    assert found["msm-a"] == ArmConfig(msm="a")


def test_a_single_value_needs_no_list_and_the_only_set_no_name() -> None:
    assert list(grid(ONE, msm="a", aft=True)) == list(grid({"mine": 100}, msm="a", aft="mine")) == ["msm-a+aft"]
    assert grid({"mine": 100}, msm="a", aft="mine")["msm-a+aft"].aft is True


def test_all_of_a_set_is_no_number() -> None:
    """The point of a curve at which nothing is left out must not be trained a second time."""
    assert list(grid(aft=["rules", "values"], aft_samples=[None, 50, 100])) == [
        "aft-rules", "aft-rules-50", "aft-values", "aft-values-50", "aft-values-100"
    ]  # fmt: skip


def test_arms_that_are_given_by_name_keep_it() -> None:
    found = grid(ONE, {"mine": ArmConfig(msm="a", aft=True)}, msm=[None, "a"], aft=True)
    assert list(found) == ["mine", "aft"]


def test_what_is_left_out_is_left_out_and_nothing_else() -> None:
    factors: dict[str, Any] = {"msm": [None, "a", "b"], "aft": [False, "rules", "values"], "cot": [False, True]}
    everything = grid(**factors)
    factors["except"] = [{"msm": None, "aft": False}, {"aft": ["rules"], "cot": True}]
    kept = grid(**factors)
    gone = {name: arm for name, arm in everything.items() if name not in kept}
    assert set(gone) == {"baseline", "aft-rules-cot", "msm-a+aft-rules-cot", "msm-b+aft-rules-cot"}
    assert [name for name in everything if name in kept] == list(kept)
    one: dict[str, Any] = {"aft": [False, True], "msm": ["a", "b"], "except": [{"aft": "mine", "msm": "b"}]}
    only = grid({"mine": 100}, **one)
    assert list(only) == ["msm-a", "msm-a+aft", "msm-b"]


@pytest.mark.parametrize(
    ("factors", "parts"),
    [
        ({"aft": "nobody"}, ["grid.0", "'nobody'", "rules, values"]),
        ({"aft": True}, ["grid.0", "several sets", "rules, values"]),
        ({"msm": ["a"], "except": [{"msm": "b"}]}, ["grid.0.except.0", "msm: ['b']", "matches none"]),
        ({"msm": [None, "a"], "cot": [False, True], "except": [{"cot": True}]}, ["except.0", "without aft"]),
        ({"msm": ["a", "b"], "except": [{"aft": False}]}, ["grid.0", "leaves no arm", "all 2"]),
        ({"msm": [f"a{n}" for n in range(1001)]}, ["more than 1,000 arms", "except"]),
        ({"msm": [f"a{n}" for n in range(500)], "msm_tokens": list(range(1, 500))}, ["249,500 combinations"]),
        ({"msm": []}, ["msm", "empty list"]),
        ({"msm": ["a", "a"]}, ["msm", "twice"]),
        ({"msm": ["a"], "msms": ["b"]}, ["msms"]),
        ({"msm": ["general", "general-10"], "msm_tokens": [None, 10]}, ["'msm-general-10'", "another", "rename"]),
    ],
)
def test_products_that_cannot_be_meant_are_refused(factors: dict[str, Any], parts: list[str]) -> None:
    """A factorial that silently has fewer arms than somebody thinks compares what was never trained."""
    with pytest.raises(ValueError, match=r".") as error:
        grid(**factors)
    for part in parts:
        assert part in str(error.value)


def test_one_condition_under_two_names_is_refused() -> None:
    arms = {"one": ArmConfig(msm="a"), "two": ArmConfig(msm="a", cot=True)}
    with pytest.raises(ValueError, match="'one' and 'two' are the same"):
        expand(arms, [], SETS)


BESIDE = {"neutral": {"a": "neutral", "b": "neutral"}, "paraphrase": {"a": "a-paraphrase", "b": "b-paraphrase"}}


def test_every_arm_has_its_controls_on_its_own_model() -> None:
    arms = grid(ONE, msm=["a", "b"], aft=[False, True], cot=[False, True], model=[None, "q"], msm_tokens=[None, 10])
    found = controls(arms, ["baseline", "aft", "msm", "neutral", "paraphrase"], BESIDE)
    assert {name for name in found if name.endswith(".q")} == {f"{name}.q" for name in found if not name.endswith(".q")}
    assert {name for name in found if not name.endswith(".q")} == {
        "baseline", "aft", "aft-cot", "msm-a", "msm-b", "msm-a-10", "msm-b-10",
        "msm-neutral+aft", "msm-neutral+aft-cot", "msm-neutral-10+aft", "msm-neutral-10+aft-cot",
        "msm-a-paraphrase+aft", "msm-a-paraphrase+aft-cot", "msm-a-paraphrase-10+aft", "msm-a-paraphrase-10+aft-cot",
        "msm-b-paraphrase+aft", "msm-b-paraphrase+aft-cot", "msm-b-paraphrase-10+aft", "msm-b-paraphrase-10+aft-cot",
    }  # fmt: skip
    alone = {f"msm-{corpus}{dose}{model}" for corpus in "ab" for dose in ("", "-10") for model in ("", ".q")}
    assert set(controls(arms, ["msm"], BESIDE)) == alone
    assert controls({}, ["baseline", "aft"], BESIDE) == {"baseline": ArmConfig()}


def test_an_arm_of_persistence_has_a_control_that_went_through_the_same() -> None:
    arms = {"x": ArmConfig(msm="a", aft=True, after="generic")}
    assert set(controls(arms, ["aft", "msm", "neutral"], BESIDE)) == {
        "aft+then-generic", "msm-a", "msm-neutral+aft+then-generic"
    }  # fmt: skip


def test_arms_are_compared_with_those_that_differ_in_one_thing() -> None:
    arms = {
        "baseline": ArmConfig(), "aft": ArmConfig(aft=True), "msm-a": ArmConfig(msm="a"),
        "msm-a+aft": ArmConfig(msm="a", aft=True), "msm-b": ArmConfig(msm="b"),
        "msm-b+aft": ArmConfig(msm="b", aft=True),
    }  # fmt: skip
    assert compared(arms) == [
        ("aft", "baseline"), ("msm-a", "baseline"), ("msm-a", "msm-b"), ("msm-a+aft", "aft"), ("msm-a+aft", "msm-a"),
        ("msm-a+aft", "msm-b+aft"), ("msm-a+aft", "baseline"), ("msm-b", "baseline"), ("msm-b+aft", "aft"),
        ("msm-b+aft", "msm-b"), ("msm-b+aft", "baseline"),
    ]  # fmt: skip


def test_the_arm_with_more_of_a_factor_comes_first_and_models_are_not_mixed() -> None:
    found = grid(ONE, aft=True, cot=[False, True], aft_samples=[None, 10, 20], model=[None, "q"], after=[None, "g"])
    pairs = compared({"baseline": ArmConfig(), "baseline.q": ArmConfig(model="q"), **found})
    assert len(set(pairs)) == len(pairs)
    assert all(one.endswith(".q") == other.endswith(".q") for one, other in pairs)
    for pair in [("aft", "aft-10"), ("aft-20", "aft-10"), ("aft-cot", "aft"), ("aft-10+then-g", "aft-10"),
                 ("aft-cot-10.q", "baseline.q"), ("aft-cot-10", "aft-10")]:  # fmt: skip
        assert pair in pairs and pair[::-1] not in pairs
    assert ("aft-cot-10", "aft") not in pairs and ("aft-cot-10+then-g", "aft-cot-20") not in pairs
    assert baseline_of(found, "aft.q") is None


def test_two_hundred_arms_are_compared_in_no_time() -> None:
    arms = grid(ONE, msm=[f"a{n}" for n in range(50)], aft=[False, True], model=[None, "q"])
    assert len(arms) == 200 and len(compared(arms)) > 2 * 2 * 50 * 49 / 2
