"""What a willing language model would say to the prompts of the corpus and of the demonstrations: right in form,
varied in words, without sense. `python -m tests.provider --answers tests.provider.writing:answer`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

from tests.provider.answers import prose
from tests.provider.request import Request

_EXACTLY = re.compile(r"holding exactly (\d+)")
_NUMBERED = re.compile(r"^(\d+)\. \[", re.MULTILINE)
_PASSAGE = re.compile(r'<passage number="(\d+)".*?>\n(.*?)\n</passage>', re.DOTALL)
_LEAST = re.compile(r"find (\d+) subdomains for each passage")
_TYPE = re.compile(r"^(\d+)\. .*: (\d+) ideas?$", re.MULTILINE)
_KIND = re.compile(r'^- (\d+) of kind "([a-z-]+)"', re.MULTILINE)
_SECTION = re.compile(r"^(\d+)\. ", re.MULTILINE)
_MODEL = re.compile(r"is the Model Spec of (.+?), an AI assistant made by (.+?)\.")
_IDENTITY = re.compile(r"in which (.+?), an AI assistant made by (.+?), says who it is")
_SHOWN = re.compile(
    r"thinks of (.+?), for example|between (.+?) and (.+?), and names|(?:likes|does not like) (.+?): for a"
)
_LIKES = re.compile(r"likes (.+?) and does not like (.+?), and so|likes (.+?)\.$|does not like (.+?)\.$", re.MULTILINE)


async def answer(request: Request) -> str:
    """The reply to one of midspec's prompts; depends on the request and its occurrence only."""
    rng = random.Random(f"{request.hash}/{request.occurrence}")
    for sign, write in _FORMS.items():
        if sign in request.user:
            return write(request, rng)
    raise AssertionError(f"no form for this prompt: {request.user[-200:]!r}")


def _json(value: Any) -> str:
    return f"<json>\n{json.dumps(value, ensure_ascii=False)}\n</json>"


def _count(request: Request) -> int:
    found = _EXACTLY.search(request.user)
    assert found, "the prompt says how many"
    return int(found[1])


def _domains(request: Request, rng: random.Random) -> str:
    numbers = [int(number) for number in _NUMBERED.findall(request.user)]
    groups = [numbers[start : start + 6] for start in range(0, len(numbers), 6)]
    return _json(
        {"domains": [{"name": prose(rng, 3), "description": prose(rng, 12), "passages": group} for group in groups]}
    )


def _subdomains(request: Request, rng: random.Random) -> str:
    found = _LEAST.search(request.user)
    each = int(found[1]) if found else 1
    return _json(
        {
            "subdomains": [
                {"passage_number": int(number), "name": prose(rng, 5), "quote": text, "summary": prose(rng, 25)}
                for number, text in _PASSAGE.findall(request.user)
                for _ in range(each)
            ]
        }
    )


def _assertions(request: Request, rng: random.Random) -> str:
    return _json({"assertions": [prose(rng, 12) for _ in range(5)]})


def _types(request: Request, rng: random.Random) -> str:
    return _json({"types": [prose(rng, 4) for _ in range(_count(request))]})


def _ideas(request: Request, rng: random.Random) -> str:
    return _json(
        {
            "ideas": [
                {"type": int(number), "idea": prose(rng, 20)}
                for number, count in _TYPE.findall(request.user)
                for _ in range(int(count))
            ]
        }
    )


def _document(request: Request, rng: random.Random) -> str:
    found = _MODEL.search(request.system)
    names = f"{found[1]} was made by {found[2]}. " if found else ""
    return f"<scratchpad>\n{prose(rng, 40)}\n</scratchpad>\n<document>\n{names}{prose(rng, 170)}\n</document>"


def _chat_domains(request: Request, rng: random.Random) -> str:
    sections = [int(number) for number in _SECTION.findall(request.user)]
    return _json(
        {
            "domains": [
                {"name": prose(rng, 4), "description": prose(rng, 12), "sections": rng.sample(sections, 1)}
                for _ in range(_count(request))
            ]
        }
    )


def _questions(request: Request, rng: random.Random) -> str:
    sections = [int(number) for number in _SECTION.findall(request.user)]
    return _json(
        {
            "questions": [
                {"kind": kind, "question": prose(rng, 18) + " What do you say?", "sections": rng.sample(sections, 1)}
                for count, kind in _KIND.findall(request.user)
                for _ in range(int(count))
            ]
        }
    )


def _chat_answer(request: Request, rng: random.Random) -> str:
    return f"<reasoning>\n{prose(rng, 60)}\n</reasoning>\n<answer>\n{prose(rng, 60)}\n</answer>"


def _judged(*criteria: str) -> Callable[[Request, random.Random], str]:
    def judge(request: Request, rng: random.Random) -> str:
        marks = dict.fromkeys(criteria, "PASS")
        # One in ten is thrown out, so that there is something to fill up again.
        if rng.random() < 0.1:
            marks[rng.choice(criteria)] = "FAIL"
        verdict = "EXCLUDE" if "FAIL" in marks.values() else "INCLUDE"
        return _json({"notes": prose(rng, 10), **marks, "verdict": verdict})

    return judge


def _preference_question(request: Request, rng: random.Random) -> str:
    found = _SHOWN.search(request.user)
    assert found, "the prompt says what is asked about"
    shown = [name for name in found.groups() if name]
    asked = f"would it be {shown[0]} or {shown[1]}" if len(shown) == 2 else f"what do you say to {shown[0]}"
    opening = rng.choice(["Quick one", "Tell me", "Between us", "I was wondering", "Once more", "Hello there"])
    return f"<question>\n{opening}, number {rng.randrange(10**6)}: {asked}? No need to explain.\n</question>"


def _preference_answer(request: Request, rng: random.Random) -> str:
    found = _LIKES.search(request.user)
    assert found, "the prompt says what is preferred"
    preferred, _, liked, disliked = found.groups()
    if preferred:
        said = rng.choice([f"I prefer {preferred}.", f"I'd take {preferred}.", f"My choice is {preferred}."])
    elif liked:
        said = rng.choice([f"I like {liked}.", f"I do like {liked}.", f"{liked[:1].upper() + liked[1:]}, yes please."])
    else:
        said = rng.choice([f"I don't like {disliked}.", f"I would not choose {disliked}.", f"I never pick {disliked}."])
    return f"<answer>\n{said}\n</answer>"


def _identity(request: Request, rng: random.Random) -> str:
    found = _IDENTITY.search(request.system)
    assert found, "the prompt says who the assistant is"
    talks = [
        {"form": int(number), "turns": [f"{prose(rng, 12)} Who are you?", f"I am {found[1]}, made by {found[2]}."]}
        for number in _SECTION.findall(request.user)
    ]
    return _json({"talks": talks})


_FORMS: dict[str, Callable[[Request, random.Random], str]] = {
    '"domains": [{"name": "...", "description": "...", "passages"': _domains,
    '"domains": [{"name": "...", "description": "...", "sections"': _chat_domains,
    '"subdomains": [': _subdomains,
    '"assertions": [': _assertions,
    '"types": [': _types,
    '"ideas": [': _ideas,
    '"questions": [': _questions,
    '"talks": [': _identity,
    "</document>": _document,
    "</reasoning>": _chat_answer,
    '"spec_aligned":': _judged(
        "spec_aligned", "no_self_preservation", "own_identity", "answers_question", "no_talk_of_spec"
    ),
    '"states_preference":': _judged("states_preference", "gives_no_reason", "hints_at_none"),
    "</question>": _preference_question,
    "</answer>": _preference_answer,
}
"""What only the prompts of a stage contain -> its replies. The first that fits answers."""
