"""Variants of a spec that a program can make, and what has to be asked of a language model. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, get_args

from pydantic import Field

from midspec.errors import InputError
from midspec.records import Row
from midspec.spec.attribution import Notes, Way, broken, preferences
from midspec.spec.document import Identity, ModelSpec
from midspec.spec.origin import Origin
from midspec.spec.prose import word_count
from midspec.spec.rules import find_rules
from midspec.spec.statements import rules_only, statements
from midspec.spec.trim import matches, trimmed

VERSION = 1
"""Raise it when a variant of the same spec with the same options comes out otherwise."""

Variant = Literal[
    "rules-only",
    "+values",
    "+subrules",
    "length-matched",
    "general",
    "anti",
    "attribution-broken",
    "normative",
    "descriptive",
    "identity",
]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
WRITTEN: frozenset[Variant] = frozenset({"+values", "+subrules", "general", "anti", "normative", "descriptive"})
"""Variants that only a language model can write. Of the others, it takes over what the program cannot read."""


class VaryConfig(Row):
    """A variant to make."""

    variant: Variant
    how: Way = "generalise"
    """Of `attribution-broken`: reasons cut off from what they explain, or exchanged among the preferences."""
    match: str | None = None
    """Text of the spec whose length counts, for `length-matched`, `+values` and `+subrules`."""
    notes: Notes = Notes()
    """Of `attribution-broken`, by program."""
    identity: Identity | None = None
    """Of `identity`: fills the placeholders; None leaves them."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Of `identity`: names written out in the spec -> what stands in their place, `{model_name}` for instance."""
    words: int = Field(default=330, ge=30, le=4000)
    """Of `+values` and `+subrules` without `match`: words to write for each rule. Of `general`: three times its own.
    (ours)"""
    seed: int = 0


class CannotError(InputError):
    """What the program cannot read in this spec; a language model might."""


def vary(spec: ModelSpec, config: VaryConfig) -> str:
    """The variant's text, by program. The same spec and config give the same text.

    Raises CannotError where it takes a language model, InputError for options that make no variant.
    """
    _check(config)
    variant = config.variant
    if variant in WRITTEN:
        raise CannotError(
            f"variant {variant!r} has to be written, which no program here can do; name a language model with "
            "--writer, e.g. --writer anthropic/claude-opus-4-6"
        )
    if variant == "identity":
        return renamed(spec.text, config.identity, config.rename)
    if variant == "rules-only":
        _readable(lambda: find_rules(spec))
        return rules_only(spec)
    if variant == "attribution-broken":
        _readable(lambda: preferences(spec))
        return broken(spec, config.how, config.seed, config.notes)
    assert config.match is not None
    words = word_count(config.match)
    if word_count(spec.text) < words and not matches(spec.text, words):
        _readable(lambda: trimmed(spec, words))
    return trimmed(spec, words, config.seed, rule_spans(spec))


def _readable(look: Callable[[], object]) -> None:
    """Turn the InputError of a spec that the program cannot read into the CannotError that sends it to a model."""
    try:
        look()
    except InputError as error:
        raise CannotError(str(error)) from error


def rule_spans(spec: ModelSpec) -> list[tuple[int, int]]:
    """Where the spec's rules are stated; empty for a spec without labelled rules."""
    try:
        return statements(spec)
    except InputError:
        return []


def renamed(text: str, identity: Identity | None, names: dict[str, str]) -> str:
    """`text` with `names` exchanged as whole words, longest first and all at once, then placeholders filled.

    Raises InputError for a name that the text does not hold: a misspelt name would change nothing, in silence.
    """
    missing = [name for name in names if not _whole_word(name).search(text)]
    if missing:
        raise InputError(f"--rename {missing[0]!r} stands nowhere in the spec; expected a name as it is written there")
    if names:
        ordered = sorted(names, key=lambda name: (-len(name), name))
        pattern = re.compile("|".join(_whole_word(name).pattern for name in ordered))
        text = pattern.sub(lambda found: names[found[0]], text)
    return identity.fill(text) if identity else text


def origin_of(spec: ModelSpec, config: VaryConfig, text: str, writer: str = "program") -> Origin:
    """The record of a variant."""
    return Origin(
        variant=config.variant,
        sha256=ModelSpec("", text).sha256,
        parent=spec.name,
        parent_sha256=spec.sha256,
        options=_options(config),
        seed=config.seed,
        writer=writer,
        version=VERSION,
    )


def _options(config: VaryConfig) -> dict[str, Any]:
    """The options that this variant reads, other texts by their hash."""
    options: dict[str, Any] = {}
    if config.variant == "attribution-broken":
        options["how"] = config.how
        if config.notes != Notes():
            options["notes_sha256"] = ModelSpec("", config.notes.model_dump_json()).sha256
    if config.match is not None:
        options |= {"match_sha256": ModelSpec("", config.match).sha256, "match_words": word_count(config.match)}
    elif config.variant in ("+values", "+subrules", "general"):
        options["words"] = config.words
    if config.variant == "identity":
        options |= config.identity.model_dump() if config.identity else {}
        options |= {"rename": config.rename} if config.rename else {}
    return options


def _check(config: VaryConfig) -> None:
    variant = config.variant
    if variant == "length-matched" and config.match is None:
        raise InputError("variant 'length-matched' needs --match: the spec whose length counts")
    if variant == "identity" and config.identity is None and not config.rename:
        raise InputError(
            "variant 'identity' needs --model-name and --provider-name, which fill the placeholders, or --rename "
            "OLD=NEW for names that are written out"
        )
    if config.match is not None and variant not in ("length-matched", "+values", "+subrules"):
        raise InputError(f"--match says nothing about variant {variant!r}; expected length-matched, +values, +subrules")
    if config.notes != Notes() and variant != "attribution-broken":
        raise InputError(f"--notes says nothing about variant {variant!r}; expected attribution-broken")
    if config.variant != "identity" and (config.identity or config.rename):
        raise InputError(f"names are exchanged in variant 'identity', not in {variant!r}; make one out of the other")


def _whole_word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
