"""What makes a Model Spec hard to teach, said before anybody pays for a corpus."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from midspec.records import Row, Span
from midspec.spec.document import ModelSpec

_PLACEHOLDER = re.compile(r"\{+\s*([A-Za-z_][A-Za-z0-9_ ]*)\s*\}+")
OTHER_ASSISTANTS = re.compile(
    r"\b(ChatGPT|GPT-[345]\w*|Claude|Gemini|Copilot|Grok|LLaMA|Llama|Qwen|Mistral|DeepSeek|OpenAI|Anthropic)\b"
)


class Finding(Row):
    """One thing to look at."""

    level: Literal["error", "warning", "note"]
    code: str
    message: str
    span: Span | None = None


def lint(spec: ModelSpec) -> list[Finding]:
    """Findings in file order, errors first: no prose, unknown placeholders, missing identity, other assistants' names,
    empty, repeated or very long sections, repeated paragraphs."""
    findings = [*_placeholders(spec), *_identity(spec), *_structure(spec)]
    rank = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: (rank[finding.level], finding.span or (0, 0)))


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
