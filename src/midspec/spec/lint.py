"""What makes a Model Spec hard to teach, said before anybody pays for a corpus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from midspec.records import Span
from midspec.spec.document import ModelSpec
from midspec.spec.findings import Finding
from midspec.spec.lint_rules import reason_findings, rule_findings
from midspec.spec.prose import body_start

_PLACEHOLDER = re.compile(r"\{+\s*([A-Za-z_][A-Za-z0-9_ ]*)\s*\}+")
OTHER_ASSISTANTS = re.compile(
    r"\b(ChatGPT|GPT-[345]\w*|Claude|Gemini|Copilot|Grok|LLaMA|Llama|Qwen|Mistral|DeepSeek|OpenAI|Anthropic)\b"
)


def lint(spec: ModelSpec, held_out: Mapping[str, Collection[str]] | None = None) -> list[Finding]:
    """Findings in file order, errors first: no prose, unknown placeholders, missing identity, other assistants' names,
    empty, repeated or very long sections, repeated paragraphs, rules without a number, numbers twice or missing,
    reasons without a rule or preference, and words of domains that an evaluation holds out.

    `held_out`: what holds it out (`preferences/affordability`) -> words and phrases that the spec must not say.
    """
    findings = [
        *_placeholders(spec),
        *_identity(spec),
        *_structure(spec),
        *_empty(spec),
        *rule_findings(spec),
        *reason_findings(spec),
        *_held_out(spec, held_out or {}),
    ]
    rank = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: (rank[finding.level], finding.span or (0, 0)))


def _empty(spec: ModelSpec) -> list[Finding]:
    """Headings with nothing under them, not even another heading."""
    return [
        Finding(
            level="warning",
            code="empty-section",
            message=f"{section.title!r} has nothing under its heading; write it or take the heading out",
            span=section.span,
        )
        for section, following in zip(spec.sections, [*spec.sections[1:], None], strict=True)
        if section.level
        and not spec.text[body_start(section) : section.span[1]].strip()
        and (following is None or following.level <= section.level)
    ]


def _held_out(spec: ModelSpec, held_out: Mapping[str, Collection[str]]) -> list[Finding]:
    """The first mention of every word; singular and plural count as the same."""
    found: list[Finding] = []
    for source, names in held_out.items():
        for name in sorted(set(names)):
            stems = [re.escape(word.removesuffix("s") if len(word) > 3 else word) for word in name.lower().split()]
            match = re.search(r"\b" + r"[\s-]+".join(f"{stem}(?:s|es)?" for stem in stems) + r"\b", spec.text, re.I)
            if stems and match:
                found.append(
                    Finding(
                        level="warning",
                        code="held-out",
                        message=f"says {match[0]!r}, which {source} holds out: what is taught about it is no "
                        "generalisation; say it otherwise, or evaluate on another domain",
                        span=match.span(),
                    )
                )
    return found


def _placeholders(spec: ModelSpec) -> list[Finding]:
    return [
        Finding(
            level="warning",
            code="unknown-placeholder",
            message=f"{match[0]!r} is left as it is; only {{model_name}} and {{provider_name}} are filled in",
            span=match.span(),
        )
        for match in _PLACEHOLDER.finditer(spec.text)
        if match[0] not in {"{model_name}", "{provider_name}"}
    ]


def _identity(spec: ModelSpec) -> list[Finding]:
    findings = [
        Finding(
            level="warning",
            code="other-assistant",
            message=f"names {match[0]!r}: another assistant or maker will leak into every document",
            span=match.span(),
        )
        for match in OTHER_ASSISTANTS.finditer(spec.text)
    ]
    if "{model_name}" not in spec.text:
        findings.append(
            Finding(
                level="warning",
                code="no-identity",
                message="never says {model_name}: documents can only say 'the assistant', and no name is tied to it",
            )
        )
    return findings


def _structure(spec: ModelSpec) -> list[Finding]:
    findings: list[Finding] = []
    if not spec.passages:
        findings.append(Finding(level="error", code="no-prose", message="has headings but no text to teach"))
    titles = Counter(section.path for section in spec.sections if section.path)
    for section in spec.sections:
        if titles[section.path] > 1:
            findings.append(
                Finding(
                    level="warning",
                    code="repeated-heading",
                    message=f"{section.title!r} appears more than once",
                    span=section.span,
                )
            )
        words = len(section.text.split())
        if words > 1500:
            findings.append(
                Finding(
                    level="note",
                    code="long-section",
                    message=f"{section.title!r} has {words:,} words; headings inside it spread the corpus better",
                    span=section.span,
                )
            )
    if spec.sections and spec.sections[0].level == 0 and spec.sections[0].path:
        findings.append(
            Finding(
                level="note",
                code="no-headings",
                message="has no headings; every paragraph is taken as a section of its own",
            )
        )
    seen: dict[str, Span] = {}
    for passage in spec.passages:
        key = " ".join(passage.text.lower().split())
        if key in seen:
            findings.append(
                Finding(
                    level="warning", code="repeated-passage", message="says the same passage twice", span=passage.span
                )
            )
        seen[key] = passage.span
    return findings
