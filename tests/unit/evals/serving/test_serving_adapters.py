"""Adapters are known by their weights, not by where they lie or what they are called."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from midspec.errors import InputError
from midspec.evals.serving.adapters import named_adapters, read_adapter, trained_adapters


def test_a_name_says_which_weights(adapter: Any) -> None:
    folder = adapter("msm-seed0-0123", b"one", r=16)
    found = read_adapter(folder)
    digest = hashlib.sha256(b"one").hexdigest()
    assert (found.name, found.rank, found.sha256) == (f"msm-seed0-0123-{digest[:12]}", 16, digest)
    assert found.folder == folder / "checkpoint"
    assert read_adapter(folder / "checkpoint") == found
    assert found.is_called(f"whatever-{digest[:12]}") and not found.is_called("msm-seed0-0123")
    assert not found.is_called(read_adapter(adapter("msm-seed0-4567", b"two")).name)


def test_names_may_be_given(adapter: Any) -> None:
    one, two = adapter("a", b"1"), adapter("b=c", b"2")
    first, second = named_adapters([f"arm one={one}", f"two={two}"])
    assert first.name.startswith("arm-one-") and second.name.startswith("two-") and second.folder.parent == two
    assert [found.name[:4] for found in named_adapters([str(one), str(two / "checkpoint")])] == ["a-6b", "b-c-"]
    with pytest.raises(InputError, match="named twice"):
        named_adapters([f"x={one}", f"x={one}"])
    with pytest.raises(InputError, match="no name before the ="):
        named_adapters([f"={one}"])


def test_all_that_a_workspace_trained(adapter: Any, tmp_path: Path) -> None:
    for kind, name in (("midtrain", "msm-1"), ("finetune", "arm-2"), ("corpus", "c-3")):
        target = tmp_path / "steps" / kind / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(adapter(name, name.encode()), target)
    whole = tmp_path / "steps" / "finetune" / "full-4" / "checkpoint"
    whole.mkdir(parents=True)
    (whole / "model.safetensors").write_bytes(b"x")
    assert [found.name[:-13] for found in trained_adapters(tmp_path)] == ["arm-2", "msm-1"]


def test_what_cannot_be_served_is_said(adapter: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no adapter_model.safetensors; expected what"):
        read_adapter(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match="it is a whole model"):
        read_adapter(tmp_path)
    with pytest.raises(InputError, match=r"replaces whole layers \(\['lm_head'\]\)"):
        read_adapter(adapter("head", modules_to_save=["lm_head"]))
    with pytest.raises(InputError, match="rank 'many'"):
        read_adapter(adapter("many", r="many"))
    broken = adapter("broken")
    (broken / "checkpoint" / "adapter_config.json").write_text("[]")
    with pytest.raises(InputError, match="holds no object"):
        read_adapter(broken)
