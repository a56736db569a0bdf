"""The writer without a model: one function per prompt, the same reply to the same request on every machine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from midspec.errors import WriterError
from midspec.llm.offline import (
    chat,
    controls,
    documents,
    grades,
    identity,
    instruct,
    judges,
    pairs,
    plans,
    preferences,
    refusals,
    self_questions,
    statements,
    verdicts,
    voices,
)
from midspec.llm.offline.version import OFFLINE_VERSION
from midspec.llm.prompt import Ask, Reply

Answer = Callable[[Mapping[str, Any], random.Random], str]

ANSWERS: dict[str, Answer] = {
    "corpus/domains": plans.domains,
    "corpus/subdomains": plans.subdomains,
    "corpus/assertions": plans.assertions,
    "corpus/doc_types": plans.doc_types,
    "corpus/ideas": plans.ideas,
    "corpus/document": documents.document,
    "corpus/rewrite": documents.document,
    "corpus/voiced_document": voices.voiced,
    "corpus/rules_doc_types": plans.doc_types,
    "corpus/rules_ideas": plans.rules_ideas,
    "corpus/rules_document": documents.rules_document,
    "corpus/rules_rewrite": documents.rules_document,
    "corpus/belief_domains": plans.domains,
    "corpus/belief_subdomains": plans.subdomains,
    "corpus/belief_assertions": plans.assertions,
    "corpus/belief_doc_types": plans.world_doc_types,
    "corpus/belief_ideas": plans.world_ideas,
    "corpus/belief_document": documents.world_document,
    "corpus/belief_rewrite": documents.world_document,
    "corpus/paraphrase": controls.paraphrase,
    "corpus/neutral": controls.neutral,
    "aft/preference_question": preferences.question,
    "aft/preference_answer": preferences.answer,
    "aft/preference_judge": judges.preference,
    "aft/chat_domains": chat.domains,
    "aft/chat_questions": chat.questions,
    "aft/chat_answer": chat.answer,
    "aft/chat_judge": judges.chat,
    "aft/identity": identity.talks,
    "instruct/row_judge": instruct.row_verdict,
    "evals/choice_verdict": verdicts.choice,
    "evals/open_qa_grade": grades.open_qa,
    "evals/pair_plan": pairs.plan,
    "evals/pair_write": pairs.pairs,
    "evals/pair_wording": pairs.wording,
    "evals/pair_label": pairs.label,
    "evals/spec_questions": self_questions.questions,
    "evals/make_statements": statements.made,
    "evals/statement_verdict": statements.verdict,
    "evals/refusal_verdict": refusals.verdict,
}
"""Template name -> function of the template's variables and a seeded source of chance."""


class OfflineWriter:
    """Makes replies by program out of a prompt's variables. No network, no model, no cost."""

    name = "offline"

    async def write(self, ask: Ask) -> Reply:
        """The reply, in the form that the prompt's parser expects.

        Raises WriterError for a prompt it has no function for.
        """
        if ask.template not in ANSWERS:
            raise WriterError(
                f"the offline writer has no answer to {ask.template!r}; it knows {', '.join(sorted(ANSWERS))}"
            )
        return Reply(ANSWERS[ask.template](ask.variables, seeded(ask)))

    def reject(self, reply: Reply, reason: str) -> None:
        """Nothing is kept, so nothing is noted."""


def seeded(ask: Ask) -> random.Random:
    """Chance that depends on template, variables, sample and the writer's version, and on nothing else."""
    plain = {key: _digest(value) if isinstance(value, str) else value for key, value in ask.variables.items()}
    content = json.dumps([OFFLINE_VERSION, ask.template, ask.sample, plain], sort_keys=True, ensure_ascii=False)
    return random.Random(int.from_bytes(sha256(content.encode()).digest()[:8]))


@lru_cache(maxsize=64)
def _digest(text: str) -> str:
    """SHA-256 of a text; a spec is the same object in thousands of requests and is hashed once."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
