"""Variants of a spec that a language model writes: asked piece by piece, put together and checked by program."""

from __future__ import annotations

import re
from collections.abc import Callable

from midspec.errors import InputError
from midspec.llm.fan_out import gathered
from midspec.llm.prompt import BadReplyError, PromptTemplate, between_tags
from midspec.llm.writer import STRIDE, Scribe
from midspec.records import Section, Span
from midspec.spec.document import ModelSpec
from midspec.spec.lint import OTHER_ASSISTANTS
from midspec.spec.prose import body_start, edited, heading, word_count
from midspec.spec.rules import Rule, find_rules
from midspec.spec.trim import matches, trimmed
from midspec.spec.vary import VaryConfig, rule_spans


def _text(reply: str) -> str:
    return between_tags(reply, "text")


def _headed(reply: str) -> tuple[str, str]:
    """(heading, text); the heading is empty where none was asked for and none came."""
    title = " ".join(between_tags(reply, "heading").split()).lstrip("# ") if "<heading>" in reply else ""
    return title, between_tags(reply, "text")


RULE_PART: PromptTemplate[str] = PromptTemplate("spec/rule_part", _text)
WHOLE: PromptTemplate[str] = PromptTemplate("spec/whole", _text)
SECTION: PromptTemplate[tuple[str, str]] = PromptTemplate("spec/section", _headed)
PROMPTS: tuple[PromptTemplate[str] | PromptTemplate[tuple[str, str]], ...] = (RULE_PART, WHOLE, SECTION)

LEEWAY = 0.5
"""How far a piece may be from the words asked for, as a share of them; the whole is cut to TOLERANCE after. (ours)"""


async def write(spec: ModelSpec, config: VaryConfig, scribe: Scribe) -> str:
    """The variant's text as `scribe` writes it; another seed asks for other replies.

    Everything that is not to change is kept by program: rules and headings word for word, and the length where one was
    asked for. Raises WriterError where a piece has no usable reply, InputError for a spec that does not fit the
    variant.
    """
    match config.variant:
        case "+values" | "+subrules":
            return await _with_parts(spec, config, scribe)
        case "general" | "rules-only":
            return await _whole(spec, config, scribe)
        case "length-matched":
            return await _lengthened(spec, config, scribe)
        case "identity":
            raise InputError("variant 'identity' exchanges names, which takes no language model")
        case _:
            return await _sections(spec, config, scribe)


async def _with_parts(spec: ModelSpec, config: VaryConfig, scribe: Scribe) -> str:
    part = config.variant.removeprefix("+")
    rules = find_rules(spec)
    if unnamed := [rule for rule in rules if not rule.label]:
        raise InputError(
            f"spec {spec.name!r} has rules without a number, beginning with {unnamed[0].text[:60]!r}; expected labels "
            "such as SP1 or 1., by which what is added can be told: number them"
        )
    budgets = _budgets(spec, rules, config)

    async def write_one(rule: Rule) -> str:
        words = budgets[rule.label]
        variables = {
            "spec": spec.text, "part": part, "label": rule.label, "rule": rule.text, "words": words,
        }  # fmt: skip
        return await scribe.ask(RULE_PART, variables, config.seed * STRIDE, _part_check(part, rule, words))

    texts = await gathered(rules, write_one)
    grown = edited(
        spec.text,
        (
            ((rule.span[1], rule.span[1]), _inserted(spec, rule, part, text))
            for rule, text in zip(rules, texts, strict=True)
        ),
    )
    if config.match is None or matches(grown, word_count(config.match)):
        return grown
    made = ModelSpec(spec.name, grown)
    return trimmed(made, word_count(config.match), config.seed, rule_spans(made))


def _budgets(spec: ModelSpec, rules: tuple[Rule, ...], config: VaryConfig) -> dict[str, int]:
    """Words to write for each rule: what `match` says about the same rule beyond the rule itself, and a little more,
    since text can be cut and not stretched; an even share where it does not have the rule."""
    if config.match is None:
        return {rule.label: config.words for rule in rules}
    total = word_count(config.match) - word_count(spec.text)
    if total < 30 * len(rules):
        raise InputError(
            f"the spec to match has {word_count(config.match):,} words, spec {spec.name!r} without additions "
            f"{word_count(spec.text):,}; expected room for at least 30 words a rule"
        )
    even = total // len(rules)
    try:
        others = {rule.label: word_count(rule.text) for rule in find_rules(ModelSpec("match", config.match))}
    except InputError:
        others = {}
    own = {rule.label: word_count(rule.text) for rule in rules}
    rooms = {label: others[label] - own[label] if others.get(label, 0) > own[label] else even for label in own}
    return {label: max(30, round(1.08 * room)) for label, room in rooms.items()}


def _part_check(part: str, rule: Rule, words: int) -> Callable[[str], None]:
    def check(text: str) -> None:
        _clean(text)
        _length(text, words)
        if part == "subrules":
            numbers = re.findall(rf"^\W*{re.escape(rule.label)}\.(\d+)", text, re.M)
            lines = [line for line in text.splitlines() if line.strip()]
            if [int(number) for number in numbers] != list(range(1, len(lines) + 1)) or not lines:
                raise BadReplyError("off-spec", f"expected lines numbered {rule.label}.1, {rule.label}.2, ...")
        elif re.search(r"^\s*(?:#|[-*+•]\s|\d+[.)]\s)", text, re.M):
            raise BadReplyError("off-spec", "expected paragraphs without headings and lists")

    return check


def _inserted(spec: ModelSpec, rule: Rule, part: str, text: str) -> str:
    """What is put behind a rule, in the form that the rule has: a subheading, a paragraph, or inside its list item."""
    if part == "subrules":
        text = "\n".join("- " + re.sub(r"^\W+", "", line.strip()) for line in text.splitlines() if line.strip())
    line = spec.text[spec.text.rfind("\n", 0, rule.span[0]) + 1 : rule.span[0] + 1]
    marks = re.match(r"[ \t]*(#{1,5})[ \t]", line)
    if marks:
        title = f"The values behind {rule.name}" if part == "values" else f"Subrules of {rule.name}"
        return f"\n\n{marks[1]}# {title}\n\n{text}\n\n"
    item = re.match(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+", spec.text[spec.text.rfind("\n", 0, rule.span[0]) + 1 :])
    if item:
        text = "\n".join(" " * len(item[0]) + row if row.strip() else "" for row in text.splitlines())
    return f"\n\n{text}\n\n"


async def _whole(spec: ModelSpec, config: VaryConfig, scribe: Scribe) -> str:
    words = max(60, config.words // 3)

    def check(text: str) -> None:
        _clean(text)
        if "{model_name}" not in text:
            raise BadReplyError("off-spec", "never says {model_name}")
        if config.variant == "general":
            _length(text, words)
            if re.search(r"\n\s*\n|^\s*[#*+-]", text):
                raise BadReplyError("off-spec", "expected one paragraph")
            return
        try:
            labels = [rule.label for rule in find_rules(ModelSpec("reply", text))]
        except InputError as error:
            raise BadReplyError("off-spec", "no rules found") from error
        if labels != [f"R{number}" for number in range(1, len(labels) + 1)] or not 4 <= len(labels) <= 12:
            raise BadReplyError("off-spec", f"expected rules R1, R2, ... (4 to 12), found {labels}")

    variables = {"spec": spec.text, "variant": config.variant, "words": words}
    text = await scribe.ask(WHOLE, variables, config.seed * STRIDE, check)
    title = "# {model_name}: a general Model Spec" if config.variant == "general" else "# Rules for {model_name}"
    return f"{title}\n\n{text.strip()}\n"


async def _sections(spec: ModelSpec, config: VaryConfig, scribe: Scribe) -> str:
    bodies = [section for section in spec.sections if _body(spec, section)]

    async def rewrite(section: Section) -> tuple[str, str]:
        old = _body(spec, section)

        def check(reply: tuple[str, str]) -> None:
            _clean("\n".join(reply))
            _length(reply[1], word_count(old))
            if config.variant == "normative" and "{model_name}" in old and not re.search(_SHOULD, reply[1]):
                raise BadReplyError("off-spec", "says nowhere what {model_name} should do")
            if config.variant == "descriptive" and re.search(r"\{model_name\} (?:should|must)\b", reply[1]):
                raise BadReplyError("off-spec", "still says what {model_name} should do")

        asked = {
            "spec": spec.text, "variant": config.variant, "how": config.how, "section": old,
            "heading": heading(section), "words": word_count(old),
        }  # fmt: skip
        return await scribe.ask(SECTION, asked, config.seed * STRIDE, check)

    replies = await gathered(bodies, rewrite)
    edits: list[tuple[Span, str]] = []
    for section, (title, text) in zip(bodies, replies, strict=True):
        edits.append(((body_start(section), section.span[1]), "\n" + text.strip() if section.level else text.strip()))
        if title and section.level and config.variant == "anti":
            edits.append(((section.span[0], body_start(section)), "#" * section.level + f" {title}\n"))
    return edited(spec.text, edits)


_SHOULD = r"\b(?:should|ought|must|needs? to|is to|may)\b"


async def _lengthened(spec: ModelSpec, config: VaryConfig, scribe: Scribe) -> str:
    """Each section longer by the same share, and a little more; what is too much is cut by program."""
    assert config.match is not None
    words = word_count(config.match)
    if word_count(spec.text) > words:
        raise InputError(f"spec {spec.name!r} is longer than the spec to match; cutting it takes no language model")
    share = 1.08 * words / word_count(spec.text)
    bodies = [section for section in spec.sections if _body(spec, section)]

    async def rewrite(section: Section) -> tuple[str, str]:
        old = _body(spec, section)
        aim = round(share * word_count(old))
        rules = [spec.text[slice(*span)] for span in rule_spans(spec) if _inside(span, section)]

        def check(reply: tuple[str, str]) -> None:
            _clean(reply[1])
            _length(reply[1], aim)
            for rule in rules:
                statement = rule.split("\n\n", 1)[-1] if rule.lstrip().startswith("#") else rule
                if " ".join(statement.split()) not in " ".join(reply[1].split()):
                    raise BadReplyError("off-spec", f"a rule is not word for word: {statement[:80]!r}")

        asked = {
            "spec": spec.text, "variant": "length-matched", "how": "", "section": old, "heading": heading(section),
            "words": aim,
        }  # fmt: skip
        return await scribe.ask(SECTION, asked, config.seed * STRIDE, check)

    replies = await gathered(bodies, rewrite)
    edits = [
        ((body_start(section), section.span[1]), "\n" + text.strip() if section.level else text.strip())
        for section, (_, text) in zip(bodies, replies, strict=True)
    ]
    made = ModelSpec(spec.name, edited(spec.text, edits))
    return trimmed(made, words, config.seed, rule_spans(made))


def _inside(span: Span, section: Section) -> bool:
    return section.span[0] <= span[0] < section.span[1]


def _body(spec: ModelSpec, section: Section) -> str:
    return spec.text[body_start(section) : section.span[1]].strip()


def _clean(text: str) -> None:
    """Raise BadReplyError for names and braces that have no place in a spec."""
    if found := OTHER_ASSISTANTS.search(text):
        raise BadReplyError("off-spec", f"names {found[0]}")
    if unknown := set(re.findall(r"\{[^{}\n]*\}", text)) - {"{model_name}", "{provider_name}"}:
        raise BadReplyError("placeholder", f"holds {sorted(unknown)[0]}")


def _length(text: str, words: int) -> None:
    found = word_count(text)
    if abs(found - words) > max(15, LEEWAY * words):
        raise BadReplyError("off-spec", f"{found} words, expected about {words}")
