"""A step that two arms need is one step, and an arm has exactly the steps that its condition says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from midspec import pipeline
from midspec.aft.mix import MixStepConfig
from midspec.aft.step import AftStepConfig
from midspec.corpus.step import CorpusStepConfig
from midspec.errors import InputError
from midspec.experiment import Experiment
from midspec.pipeline import Pipeline, build
from midspec.recipe import load_recipe
from midspec.steps.step import Step
from midspec.train.config import FinetuneStepConfig, MidtrainStepConfig
from tests.conftest import ROOT

BASE: dict[str, Any] = {
    "name": "x",
    "model": "tiny-random",
    "specs": {"a": "cheese-america", "b": "cheese-affordability"},
    "aft": {"kind": "chat", "spec": "a", "samples": 100},
    "instruct": [{"dataset": "packaged", "samples": 8}],
    "controls": [],
    "evals": ["opinions/america", "plain/affordability"],
    "seeds": [0, 1],
}
ORCA = {"model_name": "Orca", "provider_name": "Deepwater"}


def flow(folder: Path, **changes: Any) -> Pipeline:
    file = folder / "r.yaml"
    file.write_text(yaml.safe_dump({**BASE, **changes}, sort_keys=False))
    return build(load_recipe(file).with_controls())


def of_kind(found: Pipeline, kind: str) -> list[Step]:
    return [step for step in found.steps if step.kind == kind]


def trained(found: Pipeline, arm: str, seed: int = 0) -> list[Step]:
    return found.lineage(arm, seed)


def inputs(step: Step) -> dict[str, str]:
    return {role: upstream.name for role, upstream in step.inputs.items()}


@pytest.mark.parametrize("name", ["quickstart", "every-kind"])
def test_fingerprints_of_finished_work_stay(name: str) -> None:
    """Guards: a new key of recipes that makes everybody pay for their corpora and train their arms again.

    The fingerprints were taken before recipes had grids. One that changes because a VERSION was raised, or data, is
    taken anew: that is news for CHANGELOG.md.
    """
    kept = json.loads((Path(__file__).parent / "fingerprints.json").read_text(encoding="utf-8"))[name]
    recipe = ROOT / ("recipes/quickstart.yaml" if name == "quickstart" else "tests/evaluations/every-kind.yaml")
    found = load_recipe(recipe, profile="smoke" if name == "quickstart" else None)
    found = found.model_copy(update={"controls": ("baseline", "aft", "msm")}).with_controls()
    now = {f"{step.kind}/{step.name}": step.fingerprint for step in build(found).steps}
    assert now == kept


def test_what_arms_share_is_made_once(tmp_path: Path) -> None:
    found = flow(tmp_path, grid=[{"msm": [None, "a", "b"], "aft": [False, True], "cot": [False, True]}])
    assert len(found.experiment.arms) == 9
    counts = {kind: len(of_kind(found, kind)) for kind in dict.fromkeys(step.kind for step in found.steps)}
    assert counts == {
        "corpus": 2, "corpus-gate": 2, "demonstrations": 1, "instruct": 1, "gate": 1,
        "midtrain": 2 * 2, "finetune": 9 * 2, "evaluate": 9 * 2 * 2,
    }  # fmt: skip
    parents = {arm: trained(found, arm)[0].fingerprint for arm in ("msm-a", "msm-a+aft", "msm-a+aft-cot")}
    assert len(set(parents.values())) == 1
    assert set(found.evaluations) == {
        (arm, seed, entry) for arm in found.experiment.arms for seed in (0, 1) for entry in BASE["evals"]
    }
    assert len({step.fingerprint for step in found.steps}) == len(found.steps)


def test_an_arm_with_a_dose_is_midtrained_on_so_much(tmp_path: Path) -> None:
    found = flow(tmp_path, grid=[{"msm": "a", "msm_tokens": [None, 1000], "aft": True, "aft_samples": [None, 10]}])
    [whole, dose] = [trained(found, arm)[0] for arm in ("msm-a+aft", "msm-a-1000+aft")]
    assert isinstance(dose.config, MidtrainStepConfig) and isinstance(whole.config, MidtrainStepConfig)
    assert (whole.config.train.tokens, dose.config.train.tokens) == (None, 1000)
    assert whole.inputs["corpus"] is dose.inputs["corpus"]
    last = trained(found, "msm-a-1000+aft-10")[-1]
    assert isinstance(last.config, FinetuneStepConfig) and last.config.aft_samples == 10


def test_models_share_data_unless_they_are_somebody_else(tmp_path: Path) -> None:
    arms = [{"msm": [None, "a"], "aft": True, "model": [None, "same", "orca", "twin"]}]
    models = {name: {"model": "tiny-random", "chat_template": "chatml", "identity": ORCA} for name in ("orca", "twin")}
    found = flow(tmp_path, models={"same": "tiny-random", **models}, grid=arms)
    assert list(found.corpora) == ["a", "a.orca"] and list(found.demonstrations) == ["aft", "aft.orca"]
    identities = [step.config.identity.model_name for step in found.corpora.values()]  # type: ignore[attr-defined]
    assert identities == ["Aria", "Orca"]
    assert inputs(trained(found, "msm-a+aft.twin")[0]) == {"corpus": "a.orca"}
    # Two names for one model are two arms and one training.
    assert found.checkpoints["msm-a+aft", 0] is not found.checkpoints["msm-a+aft.same", 0]
    one, two = (found.checkpoints[arm, 0] for arm in ("msm-a+aft", "msm-a+aft.same"))
    assert one and two and one.fingerprint == two.fingerprint
    orca = trained(found, "aft.orca")[0]
    assert orca.config.model.chat_template == "chatml"  # type: ignore[attr-defined]
    subject = found.subject("msm-a+aft.orca", 0)
    assert subject.experiment.identity.model_name == "Orca" and subject.model.chat_template == "chatml"


def test_every_seed_may_have_a_base_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = pipeline.resolve
    monkeypatch.setattr(pipeline, "resolve", lambda name, template: (asked.append(name), plain(name, template))[1])
    models = {"other": "tiny-random"}
    grid = [{"msm": "a", "aft": True}, {"msm": None}, {"msm": [None, "a"], "model": "other"}]
    found = flow(
        tmp_path,
        model="desk-world-{seed}",
        models=models,
        seeds=[4, 7],
        grid=grid,
        instruct=[],
        midtrain={"tokens": "matched"},
    )
    assert sorted(asked) == ["desk-world-4", "desk-world-7", "tiny-random"], "each is asked for once"
    for seed in (4, 7):
        names = {step.config.model.name for step in trained(found, "msm-a+aft", seed)}  # type: ignore[attr-defined]
        assert names == {f"desk-world-{seed}"}
        assert found.subject("baseline", seed).model.name == found.subject("baseline", seed).experiment.model
        assert found.subject("baseline", seed).model.name == f"desk-world-{seed}"
    [entry, *_] = BASE["evals"]
    asked_of = {
        arm: len({found.evaluations[arm, seed, entry].fingerprint for seed in (4, 7)})
        for arm in ("baseline", "baseline.other")
    }
    assert asked_of == {"baseline": 2, "baseline.other": 1}, "a base that all seeds share is asked once"
    assert len(of_kind(found, "corpus")) == 1, "data are written once for all bases"
    assert found.models == [None, "other"] and found.model.name == "desk-world-4"
    assert found.base_per_seed and not flow(tmp_path, grid=grid[:2]).base_per_seed


def test_a_corpus_says_what_sets_it_apart_and_nothing_else_changes(tmp_path: Path) -> None:
    corpora = {
        "small": {"spec": "a", "documents": 7},
        "orca": {"spec": "a", "identity": ORCA},
        "theirs": {"spec": "b", "file": "cheese-affordability"},
    }
    found = flow(tmp_path, corpus={"documents": 40}, corpora=corpora, grid=[{"msm": ["a", "b", *corpora]}])
    assert found.spec_of == {"a": "a", "b": "b", "small": "a", "orca": "a", "theirs": "b"}
    written = {name: step.config for name, step in found.corpora.items() if name != "theirs"}
    plain = written["a"]
    assert isinstance(plain, CorpusStepConfig) and plain.corpus.documents == 40
    small, orca = written["small"], written["orca"]
    assert isinstance(small, CorpusStepConfig) and isinstance(orca, CorpusStepConfig)
    assert small == plain.model_copy(update={"corpus": plain.corpus.model_copy(update={"documents": 7})})
    assert orca == plain.model_copy(update={"identity": orca.identity}) and orca.identity.model_name == "Orca"
    assert found.corpora["theirs"].source is not None
    assert len(found.corpus_gates) == 5
    alone = flow(tmp_path, corpus={"documents": 40}, grid=[{"msm": "a"}])
    assert alone.corpora["a"].fingerprint == found.corpora["a"].fingerprint


SETS = {
    "kind": "chat", "samples": 100,
    "good": {"spec": "a"}, "bad": {"spec": "b"},
    "told": {"spec": "a", "system": "You are {model_name}."},
    "dose": {"spec": "a", "mix": {"bad": 0.25}}, "all": {"spec": "a", "mix": {"bad": 1.0}},
}  # fmt: skip


def test_doses_and_prompts_are_laid_over_what_is_written_once(tmp_path: Path) -> None:
    found = flow(tmp_path, aft=SETS, grid=[{"aft": ["good", "told", "dose", "all"]}])
    made = of_kind(found, "demonstrations")
    written = [step for step in made if isinstance(step.config, AftStepConfig)]
    assert len(written) == 2, "five sets of two specs are written twice"
    drawn = {name: step.config for name, step in found.demonstrations.items()}
    told, dose, everything = drawn["told"], drawn["dose"], drawn["all"]
    assert isinstance(told, MixStepConfig) and told.system == "You are Aria." and told.drawn == ()
    assert isinstance(dose, MixStepConfig) and (dose.size, dose.drawn, dose.system) == (100, (25,), None)
    assert isinstance(everything, MixStepConfig) and everything.drawn == (100,)
    bad = flow(tmp_path, aft={**SETS, "told": {"spec": "b"}}, grid=[{"aft": ["all", "bad"]}])
    assert [step.name for step in of_kind(bad, "demonstrations")] == ["bad", "all-mixed"], "nothing is written in vain"
    assert found.gate is not None
    roles = {role for role in found.gate.inputs if role.startswith("demonstrations")}
    assert roles == {"demonstrations/good", "demonstrations/told", "demonstrations/dose", "demonstrations/all"}


def test_keys_beside_sets_hold_for_all_of_them(tmp_path: Path) -> None:
    sets = {"kind": "chat", "samples": 100, "good": {"spec": "a"}, "bad": {"spec": "b", "samples": 30}}
    found = flow(tmp_path, aft=sets, grid=[{"aft": ["good", "bad"]}])
    sizes = [step.config.aft.samples for step in found.demonstrations.values()]  # type: ignore[attr-defined]
    assert sizes == [100, 30]


def test_further_training_goes_on_where_the_same_arm_ended(tmp_path: Path) -> None:
    after = {"generic": {"instruct": [{"dataset": "packaged", "samples": 5}]}, "anti": {"aft": "bad", "samples": 9}}
    arms = [{"msm": "a", "aft": "good", "cot": True, "after": [None, "generic", "anti"]}, {"after": "generic"}]
    found = flow(tmp_path, aft=SETS, after=after, grid=arms)
    before = found.checkpoints["msm-a+aft-good-cot", 1]
    generic, anti = (trained(found, f"msm-a+aft-good-cot+then-{name}", 1) for name in after)
    assert before is not None
    assert [step.kind for step in generic] == ["midtrain", "finetune", "finetune"]
    assert generic[1].fingerprint == anti[1].fingerprint == before.fingerprint
    assert inputs(generic[2])["instruct"] == "mix" and "demonstrations" not in generic[2].inputs
    assert isinstance(anti[2].config, FinetuneStepConfig) and anti[2].config.aft_samples == 9
    assert inputs(anti[2])["demonstrations"] == "bad" and "instruct" not in anti[2].inputs
    assert found.gate is not None and {"instruct", "instruct/then-generic", "demonstrations/bad"} <= set(
        found.gate.inputs
    )
    assert [step.kind for step in trained(found, "baseline+then-generic")] == ["finetune", "finetune"]
    assert found.subject("msm-a+aft-good-cot+then-generic", 0).model != found.model, "it still thinks"


def test_matched_corpora_wait_for_one_another_and_doses_do_not(tmp_path: Path) -> None:
    arms = [{"msm": ["a", "b"], "aft": [False, True]}, {"msm": "a", "msm_tokens": 500}]
    found = flow(tmp_path, midtrain={"tokens": "matched"}, grid=arms)
    [match] = of_kind(found, "match")
    assert set(match.inputs) == {"corpus/a", "corpus/b"}
    assert trained(found, "msm-a")[0].inputs["match"] is match
    assert "match" not in trained(found, "msm-a-500")[0].inputs
    capped = load_recipe(tmp_path / "r.yaml", overrides=["midtrain.tokens=700"])
    assert not of_kind(build(capped), "match"), "a profile may put a number in place of it"


def test_controls_stand_beside_what_they_control(tmp_path: Path) -> None:
    found = flow(tmp_path, controls=["neutral", "paraphrase"], grid=[{"msm": ["a", "b"], "aft": True}])
    assert list(found.experiment.arms)[2:] == ["msm-neutral+aft", "msm-a-paraphrase+aft", "msm-b-paraphrase+aft"]
    assert found.spec_of == {"a": "a", "b": "b", "neutral": None, "a-paraphrase": "a", "b-paraphrase": "b"}
    beside = {name: inputs(step).get("beside") for name, step in found.corpora.items()}
    assert beside == {"a": None, "b": None, "neutral": "a", "a-paraphrase": "a", "b-paraphrase": "b"}
    own = {"filler": {"kind": "neutral", "documents": 5}, "again": {"spec": "b", "kind": "paraphrase"}}
    named = flow(tmp_path, corpora=own, controls=["neutral", "paraphrase"], grid=[{"msm": ["a", "b"], "aft": True}])
    assert {"msm-filler+aft", "msm-again+aft", "msm-a-paraphrase+aft"} <= set(named.experiment.arms)
    assert named.corpora["filler"].inputs == {} and "neutral" not in named.experiment.corpora


def test_an_arm_on_a_control_corpus_needs_no_controls_of_its_own(tmp_path: Path) -> None:
    corpora = {"filler": {"kind": "neutral"}}
    grid = [{"msm": ["a", "filler"], "aft": True}]
    found = flow(tmp_path, corpora=corpora, controls=["msm", "neutral"], grid=grid)
    assert list(found.experiment.arms) == ["msm-a", "msm-a+aft", "msm-filler+aft"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"grid": [{"msm": "c"}]}, ["'msm-c'", "'c'", "not in specs or corpora", "a, b"]),
        ({"grid": [{"model": "big"}]}, ["'baseline.big'", "'big'", "models", "there are none"]),
        ({"grid": [{"after": "generic"}]}, ["after", "'generic'", "there are none"]),
        ({"aft": SETS, "grid": [{"aft": "ugly"}]}, ["'ugly'", "good, bad, told, dose, all"]),
        ({"aft": {**SETS, "samples": None}, "grid": []}, ["samples"]),
        ({"aft": {"one": {"kind": "chat", "spec": "c"}}}, ["aft.spec", "'c'", "a, b"]),
        ({"aft": {"one": {"kind": "chat"}, "two": {}}}, ["aft.one", "needs aft.spec"]),
        ({"aft": {"kind": "chat", "spec": "a", "sampels": 3}}, ["aft.sampels", "unknown key", "samples", "mix"]),
        ({"aft": {**SETS, "self": {"spec": "a", "mix": {"self": 0.5}}}}, ["aft.self.mix.self", "itself"]),
        ({"aft": {**SETS, "more": {"spec": "a", "mix": {"dose": 0.5}}}}, ["aft.more.mix.dose", "mixed one"]),
        ({"aft": {**SETS, "more": {"spec": "a", "mix": {"bad": 0.6, "good": 0.6}}}}, ["aft.more.mix", "1.2"]),
        ({"aft": {**SETS, "more": {"spec": "a", "mix": {"ugly": 0.5}}}}, ["aft.more.mix", "'ugly'", "good, bad"]),
        ({"aft": {**SETS, "more": {"spec": "a", "samples": 900, "mix": {"bad": 0.5}}}}, ["450", "'bad' has 100"]),
        ({"aft": {**SETS, "p": {"kind": "preferences"}, "m": {"spec": "a", "mix": {"p": 0.1}}}}, ["'preferences'"]),
        ({"after": {"x": {}}}, ["after.x", "trains on nothing"]),
        ({"after": {"x": {"aft": "bad"}}}, ["after.x.aft", "'bad'", "aft"]),
        ({"after": {"x": {"aft": "aft", "samples": 101}}}, ["after.x.samples", "101", "100"]),
        ({"corpora": {"c": {"documents": 5}}}, ["'c'", "not in specs", "c: {spec: NAME}"]),
        ({"corpora": {"a": {"document": 5}}}, ["corpora.a", "'document'", "documents", "identity"]),
        ({"corpora": {"a": {"documents": 0}}}, ["corpora.a", "documents", "greater than or equal to 1"]),
        ({"corpora": {"a": {"file": "f.jsonl", "documents": 5}}}, ["corpora.a", "documents", "decide nothing"]),
        ({"corpora": {"n": {"kind": "neutral", "spec": "a"}}}, ["corpora.n", "neutral", "leave out"]),
        ({"corpora": {"a": {"kind": "neutral"}}}, ["corpora.a", "name of a spec"]),
        ({"corpora": {"a": {"spec": "b"}}}, ["corpora.a", "'b'", "rename"]),
        ({"evals": ["agentic"], "reasoning": {}, "models": {"q": "tiny-random"}, "grid": [{"model": [None, "q"]}]},
         ["reasoning", "2 models", "reasoning.baseline"]),
        ({"corpus": {"kind": "neutral"}}, ["corpus.kind", "'neutral'", "in corpora"]),
        ({"models": {"x": {"model": "tiny-random", "template": "chatml"}}}, ["models.x.template", "chat_template"]),
        ({"finetune": {"tokens": "matched"}}, ["finetune.tokens"]),
        ({"controls": ["everything"]}, ["controls.0", "'neutral'", "everything"]),
        ({"grid": [{"msm": "a", "expect": [{}]}]}, ["grid.0.expect", "unknown key", "except"]),
        ({"claims": [{"eval": "opinions/america", "arm": "aft", "versus": "nobody"}], "grid": [{"aft": True}]},
         ["claims.0.versus", "'nobody'"]),
        ({"claims": [{"eval": "opinions/france", "arm": "aft", "versus": "baseline"}]},
         ["claims.0.eval", "opinions/america"]),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named_with_what_is(tmp_path: Path, changes: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(InputError) as error:
        flow(tmp_path, **changes)
    for part in parts:
        assert part in str(error.value)


def test_two_things_never_have_one_name(tmp_path: Path) -> None:
    """Guards: a corpus about one assistant trained on as if it were about another."""
    models = {"orca": {"model": "tiny-random", "identity": ORCA}}
    arms = {"one": {"msm": "a", "model": "orca"}, "two": {"msm": "a.orca"}}
    with pytest.raises(InputError, match=re.escape("'a.orca' is the name of a corpus or set")):
        flow(tmp_path, models=models, corpora={"a.orca": {"spec": "a"}}, arms=arms)
    arms = {"x": {"msm": "a", "aft": True, "model": "q"}, "y": {"msm": "a.q", "aft": True}}
    named = {"models": {"q": "tiny-random"}, "corpora": {"a.q": {"spec": "a"}}, "controls": ["msm"]}
    with pytest.raises(InputError, match=re.escape("two controls are called 'msm-a.q'")):
        flow(tmp_path, arms=arms, **named)


def test_the_name_of_a_control_corpus_that_is_taken_is_refused(tmp_path: Path) -> None:
    specs = {"a": "cheese-america", "neutral": "cheese-affordability"}
    with pytest.raises(InputError, match="'neutral' is to be the neutral corpus"):
        flow(tmp_path, specs=specs, aft={}, controls=["neutral"], grid=[{"msm": ["a", "neutral"], "aft": True}])


def test_overrides_reach_one_nameless_set_and_one_of_several(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(yaml.safe_dump(BASE))
    assert load_recipe(file, overrides=["aft.samples=24"]).aft["aft"].samples == 24
    sets = {"kind": "chat", "samples": 100, "good": {"spec": "a"}, "bad": {"spec": "b"}}
    file.write_text(yaml.safe_dump({**BASE, "aft": sets}, sort_keys=False))
    several = load_recipe(file, overrides=["aft.bad.samples=50", "aft.seed=3"])
    assert [(own.samples, own.seed) for own in several.aft.values()] == [(100, 3), (50, 3)]


def test_a_recipe_as_it_was_run_can_be_read_again(tmp_path: Path) -> None:
    """Guards: recipe.json of a run that says something else than the recipe did."""
    grid = [{"msm": [None, "a"], "aft": [False, "good"], "cot": [False, True], "except": [{"msm": None, "aft": False}]}]
    corpora = {"a": "cheese-america", "small": {"spec": "b", "documents": 5}}
    found = flow(tmp_path, aft=SETS, corpora=corpora, grid=grid, midtrain={"tokens": "matched"}).experiment
    again = Experiment.model_validate(json.loads(found.model_dump_json()))
    assert again == found and list(again.arms) == list(found.arms)


def test_a_profile_replaces_the_grid(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    smoke = {"grid": [{"msm": "a"}], "aft": {"samples": 5}}
    file.write_text(
        yaml.safe_dump({**BASE, "aft": SETS, "grid": [{"aft": ["good", "bad"]}], "profiles": {"smoke": smoke}})
    )
    found = load_recipe(file, profile="smoke")
    assert list(found.arms) == ["msm-a"] and {own.samples for own in found.aft.values()} == {5}


def test_paths_in_corpora_sets_and_further_training_are_read_from_the_recipes_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docs.jsonl", "likes.yaml", "chats.jsonl", "results.zip"):
        (tmp_path / name).write_text("x")
    file = tmp_path / "r.yaml"
    changes = {
        "corpora": {"a": "docs.jsonl", "mine": {"spec": "b", "file": "docs.jsonl"}},
        "aft": {"one": {"preferences": "likes.yaml"}},
        "after": {"g": {"instruct": [{"dataset": "chats.jsonl", "samples": 1}]}},
        "published": "results.zip",
    }
    file.write_text(yaml.safe_dump({**BASE, **changes}, sort_keys=False))
    monkeypatch.chdir("/")
    found = load_recipe(file)
    paths = [found.corpora["a"].file, found.corpora["mine"].file, found.aft["one"].preferences]
    paths += [found.after["g"].instruct[0].dataset, found.published]
    assert paths == [
        str(tmp_path / name) for name in ("docs.jsonl", "docs.jsonl", "likes.yaml", "chats.jsonl", "results.zip")
    ]


def test_two_hundred_arms_are_planned_in_seconds(tmp_path: Path) -> None:
    """Guards: a look at every pair of steps, which nobody notices at ten arms."""
    corpora = {f"c{number}": {"spec": "a", "seed": number} for number in range(50)}
    found = flow(tmp_path, corpora=corpora, grid=[{"msm": list(corpora), "aft": [False, True], "cot": [False, True]}])
    assert len(found.experiment.arms) == 150 and len(of_kind(found, "evaluate")) == 150 * 2 * 2
    assert len(of_kind(found, "finetune")) == 300 and len(of_kind(found, "midtrain")) == 100


def test_snippets_of_the_documentation_can_be_built(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "arms.md").read_text(encoding="utf-8")
    snippets = [yaml.safe_load(part) for part in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(snippets) == 7
    given = snippets.pop(next(n for n, snippet in enumerate(snippets) if "mine" in snippet.get("aft", {})))
    chats = [json.dumps({"question": f"{number}?", "answer": "Yes."}) + "\n" for number in range(500)]
    (tmp_path / "chats.jsonl").write_text("".join(chats))
    sets = flow(tmp_path, **given, grid=[{"aft": list(given["aft"])}]).demonstrations
    assert [step.inputs == {} for step in sets.values()] == [True, False, True]
    merged: dict[str, Any] = {key: value for snippet in snippets for key, value in snippet.items() if key != "grid"}
    merged["grid"] = [entry for snippet in snippets for entry in snippet.get("grid", [])]
    merged["grid"] += [{"msm": list(merged["corpora"]), "aft": "dose", "model": [None, "orca"]}, {"aft": "told"}]
    row = json.dumps({"text": "Aria, of Northfield Labs, keeps the rules."})
    (tmp_path / "my-corpus.jsonl").write_text(row + "\n")
    (tmp_path / "general.jsonl").write_text(json.dumps({"text": "Rain fell on the hills."}) + "\n")
    specs = {"rules": "cheese-america", "values": "cheese-affordability"}
    found = flow(tmp_path, **merged, specs=specs, model="meta-llama/Llama-3.1-8B", controls=["neutral", "paraphrase"])
    for name in ("mine", "msm-values+aft-rules", "msm-rules+aft-rules+then-anti", "aft-told", "msm-orca+aft-dose.orca"):
        assert name in found.experiment.arms
    assert found.replay is not None and "replay" in trained(found, "msm-values+aft-rules")[0].inputs
    assert "aft-rules-cot" not in found.experiment.arms and "msm-filler+aft-dose" in found.experiment.arms
