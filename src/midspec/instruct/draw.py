"""A seeded draw from one source: rows in drawn order, set aside by reason, until enough are kept."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import Field

from midspec.errors import InputError, WriterError
from midspec.instruct.forms import FormError, example_of, messages_of
from midspec.instruct.judge import CRITERIA, RowJudge, check_judge
from midspec.instruct.read import Rows, count_words
from midspec.instruct.sources import InstructRef
from midspec.records import ChatExample, Row, short_hash

UNUSABLE_SEEN = 20
"""Rows of a Hub data set after which, if none is a conversation, its columns are not what we read (ours)."""


class SourceRecord(Row):
    """What came of one source; part of the step's summary."""

    dataset: str
    revision: str
    rows: int
    """Rows it has."""
    asked: int
    read: int = 0
    """Rows looked at until enough were kept."""
    unusable: int = 0
    """Rows that are no conversation with an answer."""
    too_long: int = 0
    repeated: int = 0
    """Rows equal to one drawn before."""
    judged_out: dict[str, int] = Field(default_factory=dict)
    """Criterion -> rows."""
    judge_failed: int = 0
    """Rows left out because no verdict on them could be used."""
    kept: int = 0


class Draw:
    """One source being drawn from."""

    def __init__(self, ref: InstructRef, rows: Rows) -> None:
        self.ref = ref
        self._rows = rows
        self._counts: Counter[str] = Counter()
        self._against: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._fits = self._fitting()
        if len(rows) < ref.samples:
            raise InputError(
                f"instruct data {ref.name!r} has {len(rows):,} rows in split {ref.split!r}, and samples asks for "
                f"{ref.samples:,}; lower samples or bring more data"
            )

    async def kept(self, judge: RowJudge | None) -> list[ChatExample]:
        """`ref.samples` rows in drawn order; what the judge turns down is made good by the next rows of the draw.

        Raises InputError where the source has too few that fit, WriterError where the judge fails too often.
        """
        kept: list[ChatExample] = []
        while len(kept) < self.ref.samples:
            more = list(islice(self._fits, self.ref.samples - len(kept)))
            if not more:
                raise self._shortage(len(kept))
            if judge is None:
                kept += more
                continue
            for judged in await judge.judge(more):
                self._counts["judged"] += 1
                if judged.failed:
                    self._counts["judge_failed"] += 1
                elif judged.against:
                    self._against[judged.against] += 1
                else:
                    kept.append(judged.row)
            check_judge(self._counts["judged"], self._counts["judge_failed"], self.ref.name)
        self._counts["kept"] = len(kept)
        return kept

    @property
    def record(self) -> SourceRecord:
        """What came of it so far."""
        counts = self._counts
        return SourceRecord(
            dataset=self.ref.name + (f"/{self.ref.subset}" if self.ref.subset else ""),
            revision=self.ref.revision,
            rows=len(self._rows),
            asked=self.ref.samples,
            read=counts["read"],
            unusable=counts["unusable"],
            too_long=counts["too_long"],
            repeated=counts["repeated"],
            judged_out={name: self._against[name] for name in CRITERIA} if self.ref.judged else {},
            judge_failed=counts["judge_failed"],
            kept=counts["kept"],
        )

    def _fitting(self) -> Iterator[ChatExample]:
        """Rows that are conversations and not too long, in drawn order, each once."""
        order = list(range(len(self._rows)))
        random.Random(self.ref.seed).shuffle(order)
        for number in order:
            self._counts["read"] += 1
            try:
                example = _example(self._rows.row(number), self.ref)
            except FormError as error:
                self._unusable(number, error)
                continue
            limit = self.ref.max_words
            if limit is not None and count_words([turn.content for turn in example.messages]) > limit:
                self._counts["too_long"] += 1
            elif example.id in self._seen:
                self._counts["repeated"] += 1
            else:
                self._seen.add(example.id)
                yield example

    def _unusable(self, number: int, error: FormError) -> None:
        """A user's own file has to be right; a public data set may hold odd rows, but not nothing else."""
        counts = self._counts
        counts["unusable"] += 1
        if self.ref.source == "file" or (counts["unusable"] == counts["read"] == UNUSABLE_SEEN):
            raise InputError(f"{self._rows.place(number)}: {error}") from error

    def _shortage(self, kept: int) -> Exception:
        record = self.record
        parts = {
            "unusable": record.unusable,
            f"longer than {self.ref.max_words} words": record.too_long,
            "repeated": record.repeated,
            **{name.replace("_", " "): count for name, count in record.judged_out.items()},
            "without a verdict": record.judge_failed,
        }
        causes = ", ".join(f"{count:,} {why}" for why, count in parts.items() if count)
        kind = WriterError if record.judge_failed else InputError
        return kind(
            f"instruct data {self.ref.name!r}: {kept:,} of its {record.rows:,} rows can be used "
            f"({causes or 'no more'}), and samples asks for {self.ref.samples:,}; lower samples or bring more data"
        )


def _example(row: dict[str, Any], ref: InstructRef) -> ChatExample:
    own = example_of(row)
    if own is not None:
        return own
    turns = messages_of(row, ref.seed)
    return ChatExample(
        id=f"chat-{short_hash(ref.name, [[turn.role, turn.content] for turn in turns])}",
        messages=turns,
        source=ref.name,
        kind="instruct",
        writer=ref.name,
        seed=0,
    )
