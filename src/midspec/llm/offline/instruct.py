"""The offline judge of instruct rows: honest rules on names, and no opinion on what it cannot understand."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from midspec.assistants import claim_in, known_names
from midspec.spec.document import Identity


def row_verdict(variables: Mapping[str, Any], rng: random.Random) -> str:
    """A claim to another identity is found by its words; what contradicts a spec no rule can tell."""
    identity = Identity(model_name=variables["model_name"], provider_name=variables["provider_name"])
    known = known_names(identity, "")
    turns = [turn["content"] for turn in variables["messages"] if turn["role"] in ("assistant", "system")]
    # A system turn speaks to the assistant, its claims are those of the assistant.
    said = [content.replace("You are", "I am").replace("you are", "I am") for content in turns]
    claim = next((found for content in said if (found := claim_in(content, known))), None)
    reason = claim or "no claim to another identity; whether it contradicts a spec is not looked at"
    verdict = {"other_identity": claim is not None, "contradicts_spec": False, "reason": reason}
    return f"<json>{json.dumps(verdict, ensure_ascii=False)}</json>"
