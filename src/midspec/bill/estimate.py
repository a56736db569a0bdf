"""What a recipe will take, said before anything is made: work, time, tokens, dollars, GPU hours, disk.

Sizes of requests are assumed until this workspace's journal has measured them; a pilot does that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from midspec.aft import expected as aft_expected
from midspec.aft.step import AftStepConfig
from midspec.bill.card import Card, load_card
from midspec.bill.training import adapter_bytes, answering_hours, parameters, training_hours
from midspec.bill.work import corpus_of, evaluated, too_little_replay, work_of
from midspec.bill.writing import Expense, expense
from midspec.corpus import expected as corpus_expected
from midspec.corpus.step import CorpusStepConfig
from midspec.evals.battery.made import MakeStepConfig
from midspec.evals.expected import making_requests, question_requests
from midspec.evals.open_qa.config import QuestionsStepConfig
from midspec.evals.reasoning.expected import reading_requests
from midspec.experiment import Experiment, WriterConfig
from midspec.instruct.expected import row_requests
from midspec.instruct.sources import problem
from midspec.instruct.step import InstructStepConfig
from midspec.llm.batch_models import has_batch
from midspec.llm.desk import OFFLINE
from midspec.llm.measured import Measured, measured, paid
from midspec.llm.prices import PriceTable, load_prices
from midspec.pipeline import Pipeline
from midspec.spec import ModelSpec
from midspec.steps.step import Step
from midspec.steps.store import Store
from midspec.train.config import FinetuneStepConfig, MidtrainStepConfig

NOT_NEEDED = "not needed"
"""State of a step whose result is wanted by nothing that is to be made: published results need no weights."""
BYTES_PER_TOKEN = 12
"""On disk: the text in the step and in the journal, with its request (ours)."""


@dataclass(frozen=True)
class Line:
    """One step of the bill."""

    kind: str
    name: str
    fingerprint: str
    state: str
    """As `Store.state` says, or NOT_NEEDED."""
    work: str
    """What it makes or reads, in words."""
    tokens: int
    """Tokens written, trained on; 0 where that is not the measure."""
    seconds: float | None
    """From finished steps of the same kind in this workspace; None where there is none to go by, 0 when done."""
    dollars: float | None
    """0 when done or where nobody is paid; None where a price is not known."""
    requests: int
    """To language models."""
    gpu_hours: float | None
    """Of the workspace's card (`bill.card`), an H100 by default: training, and what a local model answers. None where
    the step does neither, or the model's size is not known."""

    @property
    def to_do(self) -> bool:
        """Whether it is still to be made."""
        return self.state not in ("done", "published", NOT_NEEDED)


@dataclass(frozen=True)
class Bill:
    """All lines and what they add up to."""

    name: str
    lines: list[Line]
    totals: list[str]
    dollars: float | None
    """Still to be spent; None where a price is not known."""
    writing: Expense
    """What language models are still to be asked for."""
    unmetered: list[str]
    """Sentences about what is asked and paid for, and cannot be counted."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name,
            "dollars": self.dollars,
            "writing": asdict(self.writing),
            "totals": self.totals,
            "steps": [asdict(line) for line in self.lines],
        }


def estimate(flow: Pipeline, store: Store) -> Bill:
    """The bill of a pipeline in this workspace. Raises InputError for a price table that cannot be read."""
    writing = _Writing(flow.experiment, store)
    rates = _rates(store)
    card = load_card(store.workspace)
    lines: list[Line] = []
    total = Expense()
    making = {step.fingerprint for step in store.to_make(flow.steps)}
    for step in flow.steps:
        work, tokens, size = work_of(step, flow)
        state = store.state(step)
        to_do = step.fingerprint in making
        if not to_do and state not in ("done", "published"):
            state = NOT_NEEDED
        rate = rates.get((step.kind, _worker(step.plain_config, step.function)))
        cost = writing.of(step, flow) if to_do else Expense()
        total += cost
        lines.append(
            Line(
                kind=step.kind,
                name=step.name,
                fingerprint=step.fingerprint,
                state=state,
                work=work,
                tokens=tokens,
                seconds=0.0 if not to_do else (None if rate is None else size * rate),
                dollars=cost.dollars,
                requests=cost.requests,
                gpu_hours=_gpu_hours(step, flow, tokens, card),
            )
        )
    unmetered = _unmetered(flow, lines)
    totals = [*_time(lines), *writing.totals(total), *unmetered, *_gpu(lines, card), _disk(lines, flow)]
    mixes = [step.config for step in flow.steps if step.fingerprint in making]
    sources = [source for config in mixes if isinstance(config, InstructStepConfig) for source in config.sources]
    totals += dict.fromkeys(f"In the way: {found}." for found in map(problem, sources) if found)
    short = (too_little_replay(step) for step in flow.steps if step.fingerprint in making)
    totals += dict.fromkeys(f"In the way: {found}." for found in short if found)
    unknown = " and ".join(dict.fromkeys(model.name for model in flow.bases.values() if not model.resolved))
    if unknown:
        totals.append(
            f"Model: the revision of {unknown} is not known here (the Hub does not answer), so the "
            "fingerprints above are provisional."
        )
    return Bill(flow.experiment.name, lines, totals, total.dollars, total, unmetered)


class _Writing:
    """Prices the steps that ask language models."""

    def __init__(self, experiment: Experiment, store: Store) -> None:
        self.experiment = experiment
        self.table: PriceTable = load_prices(store.workspace)
        self.asked = asked_models(experiment)
        self.paid = paid(store.workspace, experiment.name)
        self.known: dict[str, Mapping[str, Measured]] = {
            who.model: measured(store.workspace, who.model) for who, _ in self.asked
        }

    def of(self, step: Step, flow: Pipeline) -> Expense:
        if isinstance(step.config, CorpusStepConfig):
            spec = _spec(flow, step.config.spec_text)
            requests = corpus_expected.expected_requests(corpus_of(step), spec)
            return self._asked(step.config.writer, requests)
        if isinstance(step.config, AftStepConfig):
            spec = _spec(flow, step.config.spec_text) if step.config.spec_text else None
            writer, judge = aft_expected.expected_requests(step.config.aft, spec)
            return self._asked(step.config.writer, writer) + self._asked(step.config.judge, judge, judge=True)
        if isinstance(step.config, QuestionsStepConfig):
            return self._asked(self.experiment.writer, question_requests(step.config))
        if isinstance(step.config, MakeStepConfig):
            return self._asked(self.experiment.writer, making_requests(step.config))
        if isinstance(step.config, InstructStepConfig) and step.config.judged is not None:
            return self._asked(step.config.judged.judge, row_requests(step.config), judge=True)
        reading = reading_requests(step)
        if reading is not None:
            return self._asked(*reading, judge=True)
        total = Expense()
        for entry, subject in evaluated(flow, step):
            for who, work in entry.requests(subject):
                total += self._asked(who, work, judge=True)
        return total

    def _asked(self, who: WriterConfig, requests: Mapping[str, Any], *, judge: bool = False) -> Expense:
        compute = self.experiment.compute
        url = compute.judge_url if judge else compute.writer_url
        known = self.known.get(who.model, {})
        batch = compute.batch and has_batch(who.model)
        return expense(requests, who.model, self.table, known, batch=batch, url=url)

    def _batched(self) -> bool:
        return self.experiment.compute.batch and any(has_batch(who.model) for who, _ in self.asked)

    def totals(self, total: Expense) -> list[str]:
        """Sentences about all that is still to be asked."""
        asked = sorted({who.model for who, _ in self.asked})
        already = [f"Already paid by this run: ${self.paid:,.2f}."] if self.paid else []
        if not asked:
            return ["Dollars: 0 (the offline writer makes the data on this machine)."]
        if not total.requests:
            return ["Dollars: 0 (all that language models write is there).", *already]
        tokens = total.tokens
        sentences = [
            f"Language models ({', '.join(asked)}): about {total.requests:,} requests, {_short(tokens.input_tokens)} "
            f"tokens in at full price, {_short(tokens.cache_write_tokens)} written to the prompt cache and "
            f"{_short(tokens.cached_tokens)} read from it, {_short(tokens.output_tokens)} out."
        ]
        if total.dollars is None:
            unknown = [who.model for who, url in self.asked if self.table.find(who.model, url) is None]
            sentences.append(
                f"Dollars: not known: the prices of {self.table.date} have no {' and no '.join(sorted(set(unknown)))}; "
                "put its prices into prices.yaml in the workspace."
            )
        else:
            batch = ", as batch jobs" if self._batched() else ""
            sentences.append(f"Dollars: about ${total.dollars:,.2f} at the list prices of {self.table.date}{batch}.")
        cap = self.experiment.budget.usd
        sentences.append(
            f"Cap: ${cap:,.2f} (budget.usd); a run stops before it would pass it."
            if cap is not None
            else "Cap: none; set budget.usd to stop before more is spent."
        )
        sentences += already
        basis = (
            f"{total.measured / total.requests:.0%} of the requests are of a kind measured in this workspace"
            if total.measured
            else "sizes are assumed; --pilot 20 measures them"
        )
        in_flight = self.experiment.compute.concurrency
        hours = "hours to a day as batch jobs" if self._batched() else _duration(total.seconds / in_flight)
        sentences.append(f"Writing time: about {hours} with {in_flight} requests in flight ({basis}).")
        return sentences


def _spec(flow: Pipeline, text: str) -> ModelSpec:
    """The recipe's own, which has been taken apart already, where it is one of those."""
    return next((spec for spec in flow.specs.values() if spec.text == text), ModelSpec("spec", text))


def asked_models(experiment: Experiment) -> list[tuple[WriterConfig, str | None]]:
    """(who, where) of every language model that a recipe asks to write, judge or grade."""
    compute = experiment.compute
    graders = [who for entry in experiment.evals for who in entry.graders(experiment)]
    reading = experiment.reasoning
    graders += [reading.judge] if reading is not None and reading.judge is not None else []
    judges = dict.fromkeys(who.model_dump_json() for who in (experiment.judge, *graders))
    found = [(experiment.writer, compute.writer_url)]
    found += [(WriterConfig.model_validate_json(text), compute.judge_url) for text in judges]
    return [(who, url) for who, url in found if who.model != OFFLINE]


def _unmetered(flow: Pipeline, lines: list[Line]) -> list[str]:
    """Evaluations whose graders are asked outside the journal, so that no bill counts them and no cap stops them."""
    todo = {line.fingerprint for line in lines if line.to_do}
    left = {name for (_, _, name), step in flow.evaluations.items() if step.fingerprint in todo}
    names = [
        f"{entry.name} ({', '.join(who.model for who in graders)})"
        for entry in flow.experiment.evals
        if entry.unmetered and entry.name in left and (graders := entry.graders(flow.experiment))
    ]
    if not names:
        return []
    return [f"Not counted, and not held by budget.usd: what tasks of others ask of graders: {', '.join(names)}."]


def _time(lines: list[Line]) -> list[str]:
    todo = [line for line in lines if line.to_do]
    states = Counter(line.state for line in lines)
    others = "".join(f", {states[state]} {state}" for state in ("published", NOT_NEEDED) if states[state])
    sentences = [f"{len(todo)} of {len(lines)} steps to do, {states['done']} done{others}."]
    if todo:
        known = sum(line.seconds or 0.0 for line in todo)
        unknown = sorted({line.kind for line in todo if line.seconds is None})
        time = f"about {known:,.0f} s" if known >= 1 else "not known"
        sentences.append(
            f"Time: {time}"
            + (f" and what no finished step of this workspace tells: {', '.join(unknown)}." if unknown else ".")
        )
    return sentences


def _gpu(lines: list[Line], card: Card) -> list[str]:
    def hours(*kinds: str) -> float:
        return sum(line.gpu_hours or 0.0 for line in lines if line.to_do and line.kind in kinds)

    midtrain, finetune, evaluate = hours("midtrain"), hours("finetune"), hours("evaluate")
    total = midtrain + finetune + evaluate
    # Seconds on a GPU say nothing to somebody who trains a small model on a laptop.
    if total < 0.1:
        return []
    left_out = sum(line.to_do and line.gpu_hours is None and line.kind == "evaluate" for line in lines)
    return [
        f"GPU: about {total:,.1f} {card.name} hours: {midtrain:,.1f} midtraining, {finetune:,.1f} fine-tuning, "
        f"{evaluate:,.1f} answering evaluations"
        + (f" ({left_out} of which could not be reckoned)" if left_out else "")
        + f". Arithmetic: {card.told}; activations recomputed from 1B parameters on. Another card: gpu.yaml in the "
        "workspace."
    ]


def _gpu_hours(step: Step, flow: Pipeline, tokens: int, card: Card) -> float | None:
    config = step.config
    if isinstance(config, (MidtrainStepConfig, FinetuneStepConfig)):
        return training_hours(config.model.name, tokens, config.train, card)
    for entry, subject in evaluated(flow, step):
        # Its size first: to count what is asked, banks have to be read.
        if parameters(subject.model.name) is not None and (asked := entry.answers(subject)) is not None:
            return answering_hours(subject.model.name, asked, card)
    return None


def _disk(lines: list[Line], flow: Pipeline) -> str:
    todo = {line.fingerprint: line for line in lines if line.to_do}
    made = sum(line.tokens for line in todo.values() if line.kind in ("corpus", "demonstrations"))
    text = f"Disk: about {_size(BYTES_PER_TOKEN * made)} of text and records"
    trained = [step.config for step in flow.steps if step.fingerprint in todo]
    configs = [config for config in trained if isinstance(config, (MidtrainStepConfig, FinetuneStepConfig))]
    sizes = [adapter_bytes(config.model.name, config.train) for config in configs]
    if None in sizes:
        names = " and ".join(dict.fromkeys(config.model.name for config in configs))
        return f"{text}, and {len(configs)} checkpoints of {names}."
    return f"{text}, {_size(sum(size or 0.0 for size in sizes))} of checkpoints."


def _worker(config: dict[str, Any], function: str) -> str:
    """Who does a step, the model or the writer, and by what code: time measured on one says nothing of another."""
    who = config.get("model", {}).get("name", "") or config.get("writer", {}).get("model", "")
    return f"{who} {function}"


def _rates(store: Store) -> dict[tuple[str, str], float]:
    """Seconds per unit of size, by kind and worker, from the latest finished step of each."""
    size: dict[str, Callable[[dict[str, Any]], float]] = {
        "corpus": lambda summary: summary.get("documents", 0),
        "demonstrations": lambda summary: summary.get("examples", 0),
        "midtrain": lambda summary: summary.get("tokens", 0),
        "finetune": lambda summary: summary.get("tokens", 0),
        "evaluate": lambda summary: 1,
        "gate": lambda summary: 1,
    }
    rates: dict[tuple[str, str], float] = {}
    for _, record in store.finished():
        units = size[record.kind](record.summary) if record.kind in size else 0
        if units:
            rates[record.kind, _worker(record.config, record.function)] = record.seconds / units
    return rates


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:,.1f}{unit}"
    return f"{number:,.0f}"


def _size(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"


def _duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:,.1f} hours"
    return f"{seconds / 60:,.0f} minutes" if seconds >= 90 else f"{seconds:,.0f} seconds"
