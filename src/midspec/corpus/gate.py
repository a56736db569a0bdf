"""The corpus gate: everything that can be wrong with a corpus before it is trained on, as a table and a verdict.

Each check is a small function with a named limit; `check_texts` makes all of them. The limits are ours, set so that 500
documents written by hand to a spec, and the READMEs of a hundred packages, raise no alarm, while one faulty text in a
hundred does (tests/unit/corpus/test_gate_faults.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from midspec.assistants import claim_in, known_names, lacking, other_name_in
from midspec.corpus import gate_repeats as repeats
from midspec.corpus.check import MIN_WORDS, held
from midspec.corpus.gate_language import language_of
from midspec.corpus.gate_report import (
    EXAMPLES,
    CheckResult,
    Flag,
    GateReport,
    Limit,
    Verdict,
    rows_result,
    skipped,
    worst,
)
from midspec.corpus.gate_rows import cut_off, garbage_in, placeholder_in, refusal_in, scratchpad_in
from midspec.corpus.gate_spec import Share, assertion_shares, recitations, section_shares
from midspec.corpus.gate_texts import Text, Texts, run_hashes
from midspec.corpus.names import repeated_names
from midspec.corpus.tokens import estimated_tokens
from midspec.corpus.voices import NAMELESS
from midspec.leakage import ItemIndex, Overlap
from midspec.records import BankItem
from midspec.spec.document import Identity, ModelSpec

FAULTY = Limit()
"""Rows with a fault that no reader would forgive."""
NAMED_WARN, NAMED_FAIL = 0.2, 0.5
"""Share of documents that never say the assistant's name: without it they teach nothing about it."""
LEAKED = Limit(fail=0.002)
"""The contamination gate leaves leaked items out of all rates: one is a pity, many are a spoilt evaluation."""
CHOICE = re.compile(r"\b(?:or|over|than|versus|instead|rather|prefer\w*|choo?se|picks?)\b")
CHOICE_SPAN = 16
"""Words that make two names near one another a choice, and the words over which they do (ours)."""
OVERLAP = 0.5
"""Shared part of the 8-word shingles from which two texts are near-duplicates, as in `corpus.max_overlap`."""
SHORT_TEXT = 40
"""Words below which two texts are compared as a whole: short answers share turns of phrase."""
PHRASE_WARN, PHRASE_FAIL, OFTEN = 0.01, 0.02, 5
"""Shares of texts with one long phrase or opening, and the texts that make it often."""
PERSON_FAIL, FULL_NAME_FAIL = 0.05, 0.02
"""Shares of texts with one given name, and with one full name or a name after a title."""
NAME_WARN, PAIR_WARN, PAIR_FAIL = 0.1, 0.02, 0.05
"""Shares of texts with one other name that the spec does not hold: of one word, and of two."""
RECITED_RUN, RECITED_SHARE = 30, 0.2
"""Words in a row from the spec, and share of a text's words in runs of 8, from which it recites."""
THIN = 0.2
"""A section with less than this part of the even share of documents is thin."""


@dataclass(frozen=True)
class Subject:
    """What the texts are about, as far as it is known."""

    identity: Identity | None = None
    spec: ModelSpec | None = None
    assertions: Mapping[str, str] = field(default_factory=dict[str, str])
    """Ids and texts of the plan's assertions."""
    items: Sequence[BankItem] = ()
    """Evaluation items that must not stand in the texts."""
    avoid: Sequence[str] = ()
    """Of a neutral corpus: names and words that must not stand in the texts."""

    @property
    def spec_text(self) -> str:
        """The spec with the identity filled in; empty without one."""
        if self.spec is None:
            return ""
        return self.identity.fill(self.spec.text) if self.identity else self.spec.text


def check_texts(rows: Sequence[Text], subject: Subject, advance: Callable[[], None] | None = None) -> GateReport:
    """All checks on `rows`; what cannot be known without spec, identity or items is skipped. `advance` hears of each
    finished check."""
    texts = Texts(rows)
    chats = any(row.answer is not None for row in rows)
    checks: list[CheckResult] = []
    for check in CHECKS:
        checks += check(texts, subject)
        if advance:
            advance()
    return GateReport(
        verdict=worst(result.verdict for result in checks),
        rows=len(rows),
        words=int(texts.lengths.sum()),
        kind="chats" if chats else "documents",
        spec=subject.spec.name if subject.spec else None,
        checks=tuple(checks),
    )


def identity(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Other assistants' names; the own name missing."""
    known = known_names(subject.identity, subject.spec_text)
    told = subject.identity is not None
    flags = [
        Flag(id=row.id, why=why)
        for row in texts.rows
        if (why := claim_in(row.text, known) or (other_name_in(row.text, known) if told else None))
    ]
    what = "name another assistant or its maker" if told else "claim to be an assistant or somebody's model"
    results = [rows_result("identity", flags, len(texts.rows), FAULTY, what)]
    if subject.identity is None:
        return [*results, skipped("own name", "not told whose name to look for (--model-name, --spec)")]
    name = subject.identity.model_name
    if any(row.answer is not None for row in texts.rows):
        return [*results, skipped("own name", "chats need not name the assistant")]
    if subject.spec and "{model_name}" not in subject.spec.text:
        return [*results, skipped("own name", "the spec never says {model_name}, so the texts need not either")]
    if any(row.style in NAMELESS for row in texts.rows):
        return [*results, skipped("own name", f"documents in the style {texts.rows[0].style!r} name nobody")]
    missing = lacking(name, [row.text for row in texts.rows])
    share = len(missing) / len(texts.rows)
    return [
        *results,
        CheckResult(
            name="own name",
            verdict="fail" if share > NAMED_FAIL else "warn" if share > NAMED_WARN else "pass",
            flagged=len(missing),
            of=len(texts.rows),
            limit=f"> {NAMED_FAIL:.0%} of rows",
            says=f"{len(missing):,} of {len(texts.rows):,} never say {name!r}",
            examples=tuple(Flag(id=texts.rows[row].id, why=f"never says {name!r}") for row in missing[:EXAMPLES]),
        ),
    ]


def neutrality(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Names and words that a neutral corpus must not hold."""
    if not subject.avoid:
        return []
    flags = [Flag(id=row.id, why=f"says {found!r}") for row in texts.rows if (found := held(row.text, subject.avoid))]
    what = f"say one of {len(subject.avoid)} names and words that stand for what the specs are about"
    return [rows_result("neutrality", flags, len(texts.rows), FAULTY, what)]


def leakage(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Evaluation items in the texts."""
    if not subject.items:
        return [skipped("leakage", "no evaluation items to look for")]
    index = ItemIndex(subject.items)
    flags: list[Flag] = []
    items: Counter[str] = Counter()
    for row in texts.rows:
        found = {item: overlap for item, overlap in index.find(row.text).items() if _asked(overlap)}
        items.update(found.keys())
        if found:
            item, overlap = sorted(found.items(), key=lambda entry: (entry[1].kind == "pair", entry[0]))[0]
            flags.append(Flag(id=row.id, why=f"holds {item}: {overlap.words!r}"))
    what = f"hold one of {len(subject.items):,} evaluation items"
    return [rows_result("leakage", flags, len(texts.rows), LEAKED, what, items=dict(items.most_common()))]


def _asked(overlap: Overlap) -> bool:
    """Whether the two names of a pair are set against one another: a list of languages names C and Python too."""
    if overlap.kind == "run":
        return True
    return len(overlap.words.split()) <= CHOICE_SPAN and CHOICE.search(overlap.words) is not None


def duplicates(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Texts that nearly repeat an earlier one."""
    rows = texts.rows
    found = repeats.near_duplicates(texts, OVERLAP)
    flags = [
        Flag(id=rows[row].id, why=f"shares {overlap:.0%} with {rows[earlier].id}")
        for row, earlier, overlap in found
        if overlap == 1 or min(texts.lengths[row], texts.lengths[earlier]) >= SHORT_TEXT
    ]
    return [rows_result("near-duplicates", flags, len(rows), FAULTY, "nearly repeat an earlier text")]


def phrases(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Long phrases and openings that many texts share, and that are not the spec's."""
    spec_words = texts.numbers_of([subject.spec_text])[0]
    least = max(OFTEN, int(PHRASE_WARN * len(texts.rows)) + 1)
    shared = repeats.repeated_phrases(texts, least, run_hashes(spec_words, repeats.PHRASE_WORDS))
    begun = repeats.repeated_openings(texts, least)
    return [
        _shared("phrases", shared, texts, "phrases of 10 words or more"),
        _shared("openings", begun, texts, "openings of 6 words"),
    ]


def _shared(name: str, found: Sequence[repeats.Phrase], texts: Texts, what: str) -> CheckResult:
    of = len(texts.rows)
    share = len(found[0].rows) / of if found else 0.0
    result = CheckResult(
        name=name,
        verdict="fail" if share > PHRASE_FAIL else "warn" if found else "pass",
        flagged=len(found),
        of=of,
        limit=f"one in > {PHRASE_FAIL:.0%} of rows, at least {OFTEN}",
        says=f"{len(found)} {what} stand in many texts, the commonest in {share:.1%}" if found else f"no {what} recur",
        examples=tuple(
            Flag(id=texts.rows[phrase.rows[0]].id, why=f"{len(phrase.rows):,} texts: {phrase.text[:120]!r}")
            for phrase in found[:EXAMPLES]
        ),
    )
    # Thousands of questions about twelve preferences share turns of phrase.
    return _at_most_warned(result, texts)


def _at_most_warned(result: CheckResult, texts: Texts) -> CheckResult:
    """The result with a failure lowered to a warning where the texts are chats."""
    if result.verdict == "fail" and any(row.answer is not None for row in texts.rows):
        return result.model_copy(update={"verdict": "warn", "limit": "never for chats"})
    return result


def names(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Invented people in many texts; other names in many texts where a spec tells which are expected."""
    of = len(texts.rows)
    own = f"{subject.identity.model_name} {subject.identity.provider_name}" if subject.identity else ""
    least = max(OFTEN, int(min(PAIR_WARN, FULL_NAME_FAIL) * of) + 1)
    found = repeated_names(texts, f"{own} {subject.spec_text}", least)
    verdicts: list[Verdict] = []
    flags: list[Flag] = []
    for name in found:
        share, full = len(name.rows) / of, " " in name.text
        verdict: Verdict = "pass"
        if name.kind == "person" and share > (FULL_NAME_FAIL if full else PERSON_FAIL):
            verdict = "fail"
        elif subject.spec and name.kind == "name" and full and share > PAIR_WARN:
            verdict = "fail" if share > PAIR_FAIL else "warn"
        elif subject.spec and not full and share > NAME_WARN:
            verdict = "warn"
        verdicts.append(verdict)
        if verdict != "pass":
            example = texts.rows[name.rows[0]].id
            flags.append(Flag(id=example, why=f"{name.text!r} in {len(name.rows):,} texts ({share:.1%})"))
    return [
        CheckResult(
            name="names",
            verdict=worst(verdicts),
            flagged=len(flags),
            of=of,
            limit=f"a full name in > {FULL_NAME_FAIL:.0%} of rows, a given name in > {PERSON_FAIL:.0%}",
            says=f"{len(flags)} names stand in many texts" if flags else "no name stands in many texts",
            examples=tuple(flags[:EXAMPLES]),
            details={"names": {name.text: len(name.rows) for name in found[:50]}},
        )
    ]


def faults(texts: Texts, subject: Subject) -> list[CheckResult]:
    """What one text can have by itself."""
    looks: list[tuple[str, Callable[[str], str | None], bool, str]] = [
        ("placeholders", placeholder_in, False, "have a placeholder left in"),
        ("refusals", refusal_in, True, "refuse instead of doing what was asked"),
        ("truncations", cut_off, True, "break off"),
        ("scratchpads", scratchpad_in, True, "hold planning or tags of the reply's form"),
        ("garbage", garbage_in, False, "hold garbage"),
    ]
    results: list[CheckResult] = []
    for name, look, reply_only, what in looks:
        flags = [Flag(id=row.id, why=why) for row in texts.rows if (why := look(row.reply if reply_only else row.text))]
        result = rows_result(name, flags, len(texts.rows), FAULTY, what)
        # An assistant may rightly refuse its user; a document refuses nobody.
        results.append(_at_most_warned(result, texts) if name == "refusals" else result)
    return results


def language(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Texts in another language than most."""
    spoken = [language_of(row.reply) for row in texts.rows]
    counts = Counter(name for name in spoken if name is not None)
    if not counts:
        return [skipped("language", "no text is long enough to tell its language")]
    usual = counts.most_common(1)[0][0]
    flags = [
        Flag(id=row.id, why=f"{name}, not {usual}")
        for row, name in zip(texts.rows, spoken, strict=True)
        if name not in (None, usual)
    ]
    what = f"are in another language than {usual}"
    return [rows_result("language", flags, len(texts.rows), FAULTY, what, languages=dict(counts.most_common()))]


def recitation(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Texts that give the spec word for word."""
    if subject.spec is None:
        return [skipped("recitation", "needs the spec (--spec)")]
    found = recitations(texts, texts.numbers_of([subject.spec_text])[0])
    flags = [
        Flag(id=row.id, why=f"{said.longest} words in a row: {texts.said(number, said.start, 12)!r} ...")
        for number, (row, said) in enumerate(zip(texts.rows, found, strict=True))
        if said.longest >= RECITED_RUN or (said.share >= RECITED_SHARE and said.longest > repeats.SHINGLE_WORDS)
    ]
    mean = float(np.mean([said.share for said in found]))
    return [rows_result("recitation", flags, len(found), FAULTY, "recite the spec", mean_share=round(mean, 4))]


def length(texts: Texts, subject: Subject) -> list[CheckResult]:
    """Fragments, and the distribution of lengths."""
    least = 1 if any(row.answer is not None for row in texts.rows) else MIN_WORDS
    short = [
        Flag(id=row.id, why=f"{words} words")
        for row, words in zip(texts.rows, texts.lengths.tolist(), strict=True)
        if words < least or not row.reply.strip()
    ]
    points = (0, 5, 50, 95, 100)
    at = np.percentile(texts.lengths, points)
    spread = {f"p{point}": int(value) for point, value in zip(points, at, strict=True)}
    tokens = sum(estimated_tokens(row.text) for row in texts.rows)
    usual = f"median {spread['p50']:,}, 90% between {spread['p5']:,} and {spread['p95']:,}"
    what = f"have fewer than {least} words ({usual})"
    return [rows_result("length", short, len(texts.rows), FAULTY, what, words=spread, tokens=tokens)]


def coverage(texts: Texts, subject: Subject) -> list[CheckResult]:
    """What of the spec is taught, and how often."""
    if subject.spec is None:
        return [skipped("coverage", "needs the spec (--spec)")]
    sections = section_shares(texts.rows, subject.spec)
    if sections is None:
        return [skipped("coverage", "no row names a section of the spec (--section-field)")]
    total = sum(share.documents for share in sections)
    even = total / len(sections)
    empty = [share for share in sections if not share.documents]
    thin = [share for share in sections if share.documents < THIN * even]
    enough = total >= 2 * len(sections)
    assertions = assertion_shares(texts.rows, subject.assertions)
    untaught = [share for share in assertions if not share.documents]
    verdict: Verdict = "fail" if empty and enough else "warn" if thin or untaught else "pass"
    return [
        CheckResult(
            name="coverage",
            verdict=verdict,
            flagged=len(thin),
            of=len(sections),
            limit="a section without documents, where there are two documents per section",
            says=f"{len(sections) - len(empty)} of {len(sections)} sections and {len(assertions) - len(untaught)} of "
            f"{len(assertions)} assertions are taught; {len(thin)} sections are thin",
            examples=tuple(Flag(id=share.name, why=f"{share.documents} documents") for share in thin[:EXAMPLES]),
            details={"sections": _table(sections), "assertions": _table(assertions)},
        )
    ]


def _table(shares: Sequence[Share]) -> list[dict[str, Any]]:
    return [share._asdict() for share in shares]


CHECKS: tuple[Callable[[Texts, Subject], list[CheckResult]], ...] = (
    identity,
    neutrality,
    leakage,
    duplicates,
    names,
    phrases,
    faults,
    language,
    recitation,
    length,
    coverage,
)
"""In the order of the table."""
