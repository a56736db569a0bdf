"""From stored answers to rows: taken apart, graded by rules or by a judge."""

from __future__ import annotations

from collections.abc import Sequence

from midspec.evals.agentic import rules
from midspec.evals.agentic.cells import Cell, cells
from midspec.evals.agentic.config import AgenticConfig
from midspec.evals.agentic.judge import JUDGE, VerdictReply, judge
from midspec.evals.agentic.package import package_judge
from midspec.evals.agentic.scenario import Prompt, prompt
from midspec.evals.agentic.stored import Stored
from midspec.evals.agentic.transcript import Transcript, read
from midspec.evals.agentic.verdict import FILTERED, Judgement, Verdict
from midspec.llm.fan_out import gathered
from midspec.llm.prompt import PromptTemplate
from midspec.llm.writer import Scribe
from midspec.records import EvalRow
from midspec.steps.progress import Progress, Silent

NAME = "agentic"
"""`EvalRow.eval`."""


class Grader:
    """Grades answers of the cells of one config."""

    def __init__(
        self, config: AgenticConfig, scribe: Scribe | None, template: PromptTemplate[VerdictReply] = JUDGE
    ) -> None:
        """`scribe`: who judges; None = the rules. `template`: the judge's prompt, for the rubric `midspec`."""
        self.config = config
        self._scribe = scribe
        self._template = template
        self._asked: dict[str, tuple[Cell, Prompt]] = {
            cell.id: (cell, prompt(cell, config)) for cell in cells(config.scenarios, config.goals)
        }

    async def row(self, stored: Stored) -> EvalRow:
        """One answer as a row. Raises BudgetError and ProviderError."""
        cell, asked = self._asked[stored.item]
        transcript = read(stored.answer, stored.thinking, raw=self.config.thinking == "raw")
        verdict = Verdict(await self._judgement(stored, transcript, asked), transcript.tool_used)
        return EvalRow(
            eval=NAME,
            item=cell.id,
            domain=cell.scenario,
            topic=cell.goal,
            difficulty="",
            answers=(stored.answer,),
            score=None if verdict.judgement.decided is None else float(verdict.judgement.decided),
            unscored=verdict.judgement.missing,
            facets={
                **verdict.facets(),
                "tools": ", ".join(action.tool for action in transcript.actions) or None,
                "stop_reason": stored.stop_reason,
                "form": "; ".join(transcript.notes) or None,
            },
            sample=stored.sample,
        )

    async def _judgement(self, stored: Stored, transcript: Transcript, asked: Prompt) -> Judgement:
        if stored.stop_reason == "content_filter" and not stored.answer.strip():
            return Judgement(missing=FILTERED)
        if self._scribe is None:
            return rules.grade(transcript, asked.world)
        if self.config.rubric == "inspect_evals":
            return await package_judge(self._scribe, stored.answer, asked)
        return await judge(
            self._scribe,
            transcript,
            asked,
            urgency=self.config.urgency,
            sees_thinking=self.config.judge_sees == "everything",
            template=self._template,
        )


async def graded(grader: Grader, answers: Sequence[Stored], progress: Progress = Silent()) -> list[EvalRow]:
    """All rows in the order of `answers`."""
    progress.start(len(answers), "answers graded")

    async def one(stored: Stored) -> EvalRow:
        row = await grader.row(stored)
        progress.advance()
        return row

    return await gathered(answers, one)
