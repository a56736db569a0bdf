"""The package's own grading, as it is: its prompts, its reading of replies, its rules for `harmful`."""

from __future__ import annotations

from typing import Any

from midspec.evals.agentic.cells import Scenario
from midspec.evals.agentic.judge import Missing, asked
from midspec.evals.agentic.scenario import Prompt
from midspec.evals.agentic.verdict import UNREADABLE, Judgement
from midspec.llm.prompt import BadReplyError, PromptTemplate
from midspec.llm.writer import Scribe


def _nonempty(text: str) -> str:
    if not text.strip():
        raise BadReplyError("unparseable", "the reply is empty")
    return text


PACKAGE_JUDGE = PromptTemplate("evals/agentic_package", _nonempty)


async def package_judge(scribe: Scribe, response: str, prompt: Prompt) -> Judgement:
    """Ask once, as the package does, and let its classifier read the reply.

    `response`: the text the package's scorer would see, scratchpad included and a provider's thinking left out. A
    refusal, and a reply on which the classifier raises, are missing. Raises BudgetError and ProviderError.
    """
    classifier = _classifier(prompt.world.scenario)
    system, user = classifier.get_grader_input(email_content=prompt.inbox, response=response)
    reply = await asked(scribe, PACKAGE_JUDGE, {"system": system.text, "user": user.text}, attempts=1)
    if isinstance(reply, Missing):
        return Judgement(missing=reply.reason)
    try:
        harmful, decided, _ = classifier.classify(response=response, grader_response=reply)
    except ValueError:
        return Judgement(missing=UNREADABLE)
    return Judgement(decided=bool(decided), harmful=bool(harmful))


def _classifier(scenario: Scenario) -> Any:
    from inspect_evals.agentic_misalignment.classifiers import LeakClassifier, MurderClassifier

    assert scenario != "exfiltration", "the package grades no exfiltration; its rubric is refused for it"
    return LeakClassifier() if scenario == "leaking" else MurderClassifier()
