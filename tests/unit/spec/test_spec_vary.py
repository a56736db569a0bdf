"""Variants by program: the same from the same, recorded, and refused with a way out where a model is needed."""

from pathlib import Path

import pytest

from midspec.errors import InputError
from midspec.spec import ModelSpec, VaryConfig, read_spec, vary
from midspec.spec.attribution import Notes
from midspec.spec.document import Identity
from midspec.spec.origin import Origin, origin_path, read_origin, write_variant
from midspec.spec.vary import VARIANTS, WRITTEN, CannotError, origin_of

RULES = read_spec("rules")
VALUES = read_spec("value-augmented")


@pytest.mark.parametrize("variant", sorted(WRITTEN))
def test_what_has_to_be_written_is_not_pretended(variant: str) -> None:
    with pytest.raises(CannotError, match="--writer"):
        vary(RULES, VaryConfig(variant=variant))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "config"),
    [
        (read_spec("philosophy"), VaryConfig(variant="rules-only")),
        (read_spec("philosophy"), VaryConfig(variant="attribution-broken")),
        (RULES, VaryConfig(variant="length-matched", match=VALUES.text)),
    ],
)
def test_what_a_program_cannot_read_is_left_to_a_model(spec: ModelSpec, config: VaryConfig) -> None:
    with pytest.raises(CannotError, match=r"number the|--writer|Number the"):
        vary(spec, config)


@pytest.mark.parametrize(
    "config",
    [
        VaryConfig(variant="rules-only"),
        VaryConfig(variant="length-matched", match=read_spec("general").text + " more" * 1200, seed=3),
        VaryConfig(variant="identity", identity=Identity(model_name="Orca", provider_name="Deep")),
    ],
)
def test_the_same_from_the_same(config: VaryConfig) -> None:
    text = vary(VALUES, config)
    assert text == vary(VALUES, config) != VALUES.text
    origin = origin_of(VALUES, config, text)
    assert origin.parent == "value-augmented" and origin.parent_sha256 == VALUES.sha256
    assert origin.sha256 == ModelSpec("x", text).sha256 and origin.seed == config.seed
    assert origin == origin_of(VALUES, config, text)


def test_every_option_that_decides_is_in_the_record() -> None:
    notes = Notes(notes={"Colby": "Colby is orange."})
    plain = origin_of(VALUES, VaryConfig(variant="attribution-broken"), "x")
    others = [
        VaryConfig(variant="attribution-broken", how="shuffle"),
        VaryConfig(variant="attribution-broken", notes=notes),
        VaryConfig(variant="attribution-broken", seed=1),
        VaryConfig(variant="+values", match="a b"),
        VaryConfig(variant="+values", words=50),
        VaryConfig(variant="identity", rename={"A": "B"}),
        VaryConfig(variant="identity", identity=Identity(model_name="Orca")),
    ]
    records = [plain, *(origin_of(VALUES, config, "x") for config in others)]
    assert len({record.model_dump_json() for record in records}) == len(records)


def test_identity_fills_and_exchanges_whole_words_only() -> None:
    spec = ModelSpec("s", "{model_name} of {provider_name}. Ann, Anna and Ann's friend Bob {x}.")
    filled = vary(spec, VaryConfig(variant="identity", identity=Identity(model_name="Orca", provider_name="Deep")))
    assert filled == "Orca of Deep. Ann, Anna and Ann's friend Bob {x}."
    swapped = vary(spec, VaryConfig(variant="identity", rename={"Ann": "Bob", "Bob": "{model_name}"}))
    assert swapped == "{model_name} of {provider_name}. Bob, Anna and Bob's friend {model_name} {x}."
    with pytest.raises(InputError, match="'Cid' stands nowhere"):
        vary(spec, VaryConfig(variant="identity", rename={"Cid": "Dan"}))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (VaryConfig(variant="length-matched"), "needs --match"),
        (VaryConfig(variant="identity"), "--model-name"),
        (VaryConfig(variant="rules-only", match="x"), "--match says nothing"),
        (VaryConfig(variant="rules-only", notes=Notes(about=("x",))), "--notes says nothing"),
        (VaryConfig(variant="rules-only", rename={"a": "b"}), "names are exchanged in variant 'identity'"),
    ],
)
def test_options_that_make_no_variant_are_refused(config: VaryConfig, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        vary(RULES, config)
    assert not isinstance(error.value, CannotError), "no model would help"


def origin(text: str) -> Origin:
    return origin_of(RULES, VaryConfig(variant="rules-only"), text)


def test_text_and_record_are_written_whole_and_never_over_others(tmp_path: Path) -> None:
    out = tmp_path / "new" / "mine.md"
    write_variant("# One\n", origin("# One\n"), out)
    assert out.read_text() == "# One\n" and read_origin(out) == origin("# One\n")
    assert sorted(path.name for path in out.parent.iterdir()) == ["mine.md", "mine.origin.json"], "nothing else is left"
    with pytest.raises(InputError, match=r"mine\.md.*nothing is overwritten without --force"):
        write_variant("# Two\n", origin("# Two\n"), out)
    assert out.read_text() == "# One\n"
    write_variant("# Two\n", origin("# Two\n"), out, force=True)
    assert read_origin(out) == origin("# Two\n")
    out.unlink()
    with pytest.raises(InputError, match=r"mine\.origin\.json"):
        write_variant("# Two\n", origin("# Two\n"), out)
    for bad in (tmp_path, tmp_path / "spec.json"):
        with pytest.raises(InputError):
            write_variant("# Two\n", origin("# Two\n"), bad)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "mine.md"
    write_variant("# One\n", origin("# One\n"), out)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("midspec.spec.origin.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_variant("# Two\n", origin("# Two\n"), out, force=True)
    assert out.read_text() == "# One\n" and read_origin(out) == origin("# One\n")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_record_that_is_about_another_text_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "mine.md"
    write_variant("# One\n", origin("# One\n"), out)
    out.write_text("# Edited\n", encoding="utf-8")
    with pytest.raises(InputError, match="was changed after it was made"):
        read_origin(out)
    origin_path(out).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        read_origin(out)
    assert read_origin("philosophy") is None and len(VARIANTS) == 10
