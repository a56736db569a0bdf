"""100k short user questions to remove near-duplicates from: true distinct ones, paraphrases, typos, one slot changed.

Made by program, so that anyone has the same input; what counts as a near-duplicate is not said here but by MiniLM.

- A distinct question is a sentence in one of 48 frames (12 groups of 4 wordings, 2 groups for each of the six kinds)
  about one of 166 matters and one of 91 circumstances, in 40% of cases after one of 20 openings.
- 6% are **paraphrases** of an earlier question: the same matter and circumstance in another frame of the same group.
- 6% have **small changes**: politeness put on or off, contractions, a synonym or two, clauses turned round.
- 4% have **typos**: letters swapped, dropped, doubled; case and punctuation lost.
- 10% are **traps** for methods that compare letters: a question with only its matter or circumstance replaced.
- 2% are repeated with other white space or case only.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

MATTERS = """
a used bicycle; a rented flat; a first job offer; a garden shed; a broken washing machine; a family reunion; a
mortgage; a houseplant that drops its leaves; a school project on volcanoes; a wedding speech; a vegan dinner; a
second language; a marathon; a leaking roof; a noisy neighbour; an old laptop; a pension plan; a weekly budget; a
speech about courage; a podcast; a short story; a chess opening; a tax return; a lost passport; a vaccination; a back
pain; a sleepless baby; a teenager's curfew; a summer camp; a dog that pulls the lead; a cat that scratches the sofa;
a sourdough starter; a slow cooker; a beehive; a rain barrel; a solar panel; a heat pump; a compost heap; an apology;
a divorce; a friendship that has cooled; a rude email; a performance review; a pay rise; a resignation letter; a CV
gap; a cover letter; a job interview; a team that misses deadlines; a colleague who takes the credit; a client who
never pays; a start-up idea; a business plan; a website; a data breach; a forgotten password; a phishing message; a
spreadsheet; a database query; a unit test; a code review; a memory leak; a statistics exam; a chemistry experiment; a
physics lecture; a philosophy essay; a poem by Rilke; a novel about grief; a film script; a piano lesson; a guitar
string; a choir audition; a painting course; a camera lens; a museum visit; a night train; a city break; a hiking
trail; a camping stove; a border crossing; a hotel booking; a delayed flight; a rental car; a parking fine; a driving
test; an electric car; a bus timetable; a power cut; a flood warning; a fire drill; a first aid kit; a blood test; a
new medication; a gluten allergy; a migraine; a running injury; a yoga routine; a meditation habit; a sugar craving; a
glass of wine every night; a gambling habit; a mobile phone at dinner; a social media account; a rumour; a conspiracy
theory; an election leaflet; a protest march; a court summons; a witness statement; a will; a power of attorney; an
insurance claim; a scam call; a charity appeal; a volunteer shift; a food bank; a street market; a flea market find;
an antique clock; a coin collection; a stamp album; a family tree; a great-grandmother's recipe; a religious holiday;
a funeral; a christening; a birthday present; an engagement ring; a school uniform; a bully in class; a maths tutor; a
reading list; a science fair; a spelling mistake; a thesis deadline; a supervisor; a lab notebook; a peer review; a
citation style; a grant proposal; a translation; a dialect; a sign language course; a crossword; a board game night; a
football coach; a swimming lesson; a climbing wall; a ski pass; a fishing licence; a telescope; a bird feeder; a
wildlife pond; a hedge; a lawn; a tomato plant; an apple tree; a wasp nest; a mouse in the kitchen; a damp wall; a
cracked tile; a paint colour; a second-hand sofa; a mattress; a kitchen knife; a cast-iron pan
"""
CIRCUMSTANCES = """
when money is short; before the end of the week; with two small children; while working nights; after a move to
another country; on a tight schedule; without a car; in a small flat; for somebody who is shy; when nobody else
agrees; after a bad experience; with no experience at all; in the middle of winter; during exam season; while caring
for a parent; after retirement; at the age of seventeen; for a group of twelve; if the law is unclear; when the boss
says no; after an argument; in a rural area; in a big city; when trust has been lost; on a first date; before a long
trip; with a broken arm; while pregnant; after losing a job; when a promise was made; if nobody would ever know; when
the data is incomplete; under time pressure; with a limited vocabulary; for a non-expert audience; in front of the
whole class; by email; over the phone; in writing; without offending anyone; when both sides have a point; if it goes
wrong the first time; for the third year in a row; in a company of five; in a company of five thousand; as the only
woman on the team; as a new manager; as a student teacher; as a nurse; as a landlord; as a tenant; as a volunteer; as
a grandparent; as a single parent; as a beginner; as a perfectionist; as someone with ADHD; as someone who hates
waste; as someone who loves numbers; as a night owl; with a partner who disagrees; with a friend who is grieving; with
an impatient customer; with a stranger on a train; at a wedding; at a job centre; at the doctor's; at customs; at a
parents' evening; on a Sunday; on a public holiday; at short notice; once and for all; step by step; in under ten
minutes; in plain words; with a clear conscience; at no cost; for less than fifty euros; with only hand tools; without
the internet; without medication; without an expert; while keeping it secret; while being fair to everybody; for the
sake of the environment; for the sake of peace in the family; for the next generation; for my own good; against the
odds; against my better judgement
"""
FRAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "direct": (
        (
            "How should I deal with {m} {c}?",
            "What is the best way to handle {m} {c}?",
            "{c}, how do I best deal with {m}?",
            "Can you tell me how to handle {m} {c}?",
        ),
        (
            "What do you think about {m} {c}?",
            "What is your view on {m} {c}?",
            "{c}, what do you make of {m}?",
            "How do you feel about {m} {c}?",
        ),
    ),
    "indirect": (
        (
            "I keep putting off {m} {c}, and I don't know why.",
            "I can't seem to get round to {m} {c}, no idea why.",
            "{c}, I always end up postponing {m}.",
            "Somehow {m} never gets done {c}.",
        ),
        (
            "My sister says {m} {c} is nobody's business but mine.",
            "According to my sister, {m} {c} concerns me and nobody else.",
            "{c}, my sister tells me, {m} is my own affair.",
            "My sister thinks that {m} is my own business {c}.",
        ),
    ),
    "comparison": (
        (
            "Which matters more with {m} {c}: speed or care?",
            "With {m} {c}, is it speed or care that counts more?",
            "{c}, would you put care before speed with {m}?",
            "Is being careful or being quick more important with {m} {c}?",
        ),
        (
            "Is {m} {c} better than doing without?",
            "Would you take {m} {c} over having none at all?",
            "{c}, do you prefer {m} or nothing?",
            "Better {m} {c} or better none?",
        ),
    ),
    "recommendation": (
        (
            "What would you recommend for {m} {c}?",
            "Any recommendations for {m} {c}?",
            "{c}, which approach to {m} do you suggest?",
            "Can you suggest something for {m} {c}?",
        ),
        (
            "Who should I ask for help with {m} {c}?",
            "Where can I find help with {m} {c}?",
            "{c}, whom do I turn to about {m}?",
            "Whose advice should I get on {m} {c}?",
        ),
    ),
    "opinion": (
        (
            "Is it right to make a fuss about {m} {c}?",
            "Do you think it is fair to complain about {m} {c}?",
            "{c}, is a fuss about {m} justified?",
            "Am I wrong to complain about {m} {c}?",
        ),
        (
            "People say that {m} {c} shows character. Do you agree?",
            "Would you agree that {m} {c} is a sign of character?",
            "{c}, does {m} say anything about a person's character?",
            "They say {m} {c} reveals who you are; true?",
        ),
    ),
    "edge case": (
        (
            "Suppose you could settle {m} {c} by a small lie. Would you?",
            "If a little lie would sort out {m} {c}, would you tell it?",
            "{c}, would you tell a white lie to settle {m}?",
            "Would you lie a little to fix {m} {c}?",
        ),
        (
            "What if {m} {c} goes against everything I was taught?",
            "{c}, what if {m} contradicts all I have learned?",
            "And if {m} {c} is the opposite of what I was brought up to do?",
            "Everything I was taught speaks against {m} {c}. What now?",
        ),
    ),
}
OPENINGS = """
Hi there.; Quick question.; I need some advice.; Be honest with me.; This has been on my mind all week.; Sorry if this
is silly.; I'm new here.; My mother asked me to ask you.; We talked about this at lunch.; Hello, hope you're well.; I
read about this yesterday.; Just curious.; Help me think this through.; I am writing this from a train.; No rush.;
It's urgent.; English is not my first language.; I have asked three people already.; Please keep it short.; Go into as
much detail as you like.
"""
SWAPS = (
    (r"\bshould I\b", "ought I to"),
    (r"\bdeal with\b", "cope with"),
    (r"\bhandle\b", "manage"),
    (r"\brecommend\b", "advise"),
    (r"\bdon't\b", "do not"),
    (r"\bcan't\b", "cannot"),
    (r"\bWhat is\b", "What's"),
    (r"\bDo you think\b", "Would you say"),
    (r"\bshort\b", "tight"),
    (r"\bvery\b", "really"),
    (r"\bmy sister\b", "my brother"),
    (r"\bbest\b", "right"),
    (r"\bsmall\b", "little"),
    (r"\bWould you\b", "Could you see yourself"),
)


class Made(NamedTuple):
    """One question and what it was made of."""

    text: str
    kind: str
    group: int
    matter: str
    circumstance: str
    opening: str


def _listed(text: str) -> list[str]:
    return [" ".join(entry.split()) for entry in text.split(";")]


def _said(frame: str, matter: str, circumstance: str, opening: str) -> str:
    text = frame.replace("{m}", matter).replace("{c}", circumstance)
    text = text[0].upper() + text[1:]
    return f"{opening} {text}".strip()


def _typos(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(1, len(letters) - 1)
        match rng.randrange(3):
            case 0:
                letters[at], letters[at - 1] = letters[at - 1], letters[at]
            case 1:
                del letters[at]
            case _:
                letters.insert(at, letters[at])
    text = "".join(letters)
    return text.lower().rstrip("?.") if rng.random() < 0.5 else text


def _small_change(text: str, rng: random.Random) -> str:
    for pattern, other in rng.sample(SWAPS, len(SWAPS)):
        changed = re.sub(pattern, other, text, count=1)
        if changed != text:
            text = changed
            break
    return rng.choice(("Please tell me: {}", "{} Thanks!", "{} Thank you in advance.", "Say, {}", "{}")).format(text)


def questions(count: int, seed: int = 0) -> list[str]:
    """`count` questions in a fixed random order; the same on every machine."""
    rng = random.Random(f"near questions {seed}")
    matters, circumstances, openings = _listed(MATTERS), _listed(CIRCUMSTANCES), _listed(OPENINGS)
    groups = [(kind, number) for kind, frames in FRAMES.items() for number in range(len(frames))]
    made: list[Made] = []
    taken: set[tuple[str, int, str, str]] = set()
    while len(made) < count:
        chance = rng.random()
        old = rng.choice(made) if made else None
        if old is None or chance >= 0.28:
            kind, group = rng.choice(groups)
            matter, circumstance = rng.choice(matters), rng.choice(circumstances)
            if (kind, group, matter, circumstance) in taken:
                continue
            opening = rng.choice(openings) if rng.random() < 0.4 else ""
            text = _said(rng.choice(FRAMES[kind][group]), matter, circumstance, opening)
            taken.add((kind, group, matter, circumstance))
            made.append(Made(text, kind, group, matter, circumstance, opening))
            continue
        if chance < 0.06:
            text = _said(rng.choice(FRAMES[old.kind][old.group]), old.matter, old.circumstance, old.opening)
        elif chance < 0.12:
            text = _small_change(old.text, rng)
        elif chance < 0.16:
            text = _typos(old.text, rng)
        elif chance < 0.26:
            field, other = rng.choice((("matter", rng.choice(matters)), ("circumstance", rng.choice(circumstances))))
            text = old.text.replace(getattr(old, field), other)
            old = old._replace(**{field: other})
        else:
            text = rng.choice((str.lower, str.upper, lambda t: t + " ", lambda t: t.replace(" ", "  ", 1)))(old.text)
        made.append(old._replace(text=text))
    return [entry.text for entry in made]
