"""What a recipe will take, said before anything is made: work, time, tokens, dollars, GPU hours, disk.

Sizes of requests are assumed until this workspace's journal has measured them; a pilot does that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from midspec.aft import expected as aft_expected
from midspec.bill.training import UTILISATION, adapter_bytes, gpu_hours
from midspec.bill.writing import Expense, expense
from midspec.corpus import expected as corpus_expected
from midspec.corpus.given import GivenCorpusConfig
from midspec.corpus.step import CorpusStepConfig
from midspec.evals.battery.made import MakeStepConfig
from midspec.evals.expected import making_requests, question_requests
from midspec.evals.open_qa.config import QuestionsStepConfig
from midspec.evals.reasoning.expected import reading_requests, transcripts
from midspec.evaluation import Evaluation, Subject
from midspec.experiment import Experiment, WriterConfig
from midspec.instruct.expected import row_requests
from midspec.instruct.sources import problem
from midspec.instruct.step import InstructStepConfig
from midspec.llm.batch_models import has_batch
from midspec.llm.desk import OFFLINE
from midspec.llm.measured import Measured, measured, paid
from midspec.llm.prices import PriceTable, load_prices
from midspec.pipeline import Pipeline
from midspec.steps.step import Step
from midspec.steps.store import Store

OFFLINE_TOKENS_PER_DOCUMENT = 230
"""Measured on the packaged specs with SmolLM2's tokenizer."""
WRITTEN_TOKENS_PER_DOCUMENT = corpus_expected.TOKENS_PER_DOCUMENT
TOKENS_PER_PREFERENCE = 35
"""(paper: 150-165k assistant tokens in 5k samples)"""
TOKENS_PER_CHAT = 500
"""(paper: about 5M tokens without reasoning, 8M with it, in 9,963 samples)"""
BYTES_PER_TOKEN = 12
"""On disk: the text in the step and in the journal, with its request (ours)."""


@dataclass(frozen=True)
class Line:
    """One step of the bill."""

    kind: str
    name: str
    fingerprint: str
    state: str
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
    """Of one H100; None where the step does not train or the model's size is not known."""


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
    lines: list[Line] = []
    total = Expense()
    for step in flow.steps:
        work, tokens, size = _work(step, flow)
        state = store.state(step)
        rate = rates.get((step.kind, _worker(step.plain_config, step.function)))
        cost = Expense() if state == "done" else writing.of(step, flow)
        total += cost
        lines.append(
            Line(
                kind=step.kind,
                name=step.name,
                fingerprint=step.fingerprint,
                state=state,
                work=work,
                tokens=tokens,
                seconds=0.0 if state == "done" else (None if rate is None else size * rate),
                dollars=cost.dollars,
                requests=cost.requests,
                gpu_hours=_gpu_hours(step, flow, tokens),
            )
        )
    unmetered = _unmetered(flow, lines)
    totals = [*_time(lines), *writing.totals(total), *unmetered, *_training(lines, flow), _disk(lines, flow)]
    if flow.instruct and store.state(flow.instruct) != "done":
        assert isinstance(flow.instruct.config, InstructStepConfig)
        totals += [f"In the way: {found}." for found in map(problem, flow.instruct.config.sources) if found]
    if not flow.model.resolved:
        totals.append(
            f"Model: the revision of {flow.model.name} is not known here (the Hub does not answer), so the "
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
        experiment = self.experiment
        if isinstance(step.config, CorpusStepConfig):
            spec = next(flow.specs[name] for name, corpus in flow.corpora.items() if corpus is step)
            return self._asked(experiment.writer, corpus_expected.expected_requests(experiment.corpus, spec))
        if step.kind == "demonstrations":
            spec = flow.specs[experiment.aft.spec] if experiment.aft.spec else None
            writer, judge = aft_expected.expected_requests(experiment.aft, spec)
            return self._asked(experiment.writer, writer) + self._asked(experiment.judge, judge, judge=True)
        if isinstance(step.config, QuestionsStepConfig):
            return self._asked(experiment.writer, question_requests(step.config))
        if isinstance(step.config, MakeStepConfig):
            return self._asked(experiment.writer, making_requests(step.config))
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


def evaluated(flow: Pipeline, step: Step) -> list[tuple[Evaluation, Subject]]:
    """What a step evaluates, and of what; nothing for a step that evaluates nothing."""
    entries = {entry.name: entry for entry in flow.experiment.evals}
    for (arm, seed, name), found in flow.evaluations.items():
        if found.fingerprint == step.fingerprint:
            return [(entries[name], flow.subject(arm, flow.checkpoints[arm, seed]))]
    return []


def _unmetered(flow: Pipeline, lines: list[Line]) -> list[str]:
    """Evaluations whose graders are asked outside the journal, so that no bill counts them and no cap stops them."""
    todo = {line.fingerprint for line in lines if line.state != "done"}
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
    todo = [line for line in lines if line.state != "done"]
    sentences = [f"{len(todo)} of {len(lines)} steps to do, {len(lines) - len(todo)} done."]
    if todo:
        known = sum(line.seconds or 0.0 for line in todo)
        unknown = sorted({line.kind for line in todo if line.seconds is None})
        time = f"about {known:,.0f} s" if known >= 1 else "not known"
        sentences.append(
            f"Time: {time}"
            + (f" and what no finished step of this workspace tells: {', '.join(unknown)}." if unknown else ".")
        )
    return sentences


def _training(lines: list[Line], flow: Pipeline) -> list[str]:
    hours = [line.gpu_hours for line in lines if line.state != "done" and line.gpu_hours is not None]
    # Seconds on a GPU say nothing to somebody who trains a small model on a laptop.
    if not hours or sum(hours) < 0.1:
        return []
    return [f"Training: about {sum(hours):,.1f} H100 hours (arithmetic, at {UTILISATION:.0%} of the card's peak)."]


def _gpu_hours(step: Step, flow: Pipeline, tokens: int) -> float | None:
    match step.kind:
        case "midtrain":
            return gpu_hours(flow.model.name, tokens, flow.experiment.midtrain)
        case "finetune":
            return gpu_hours(flow.model.name, tokens, flow.experiment.finetune)
        case _:
            return None


def _disk(lines: list[Line], flow: Pipeline) -> str:
    todo = [line for line in lines if line.state != "done"]
    written = BYTES_PER_TOKEN * sum(line.tokens for line in todo if line.kind in ("corpus", "demonstrations"))
    each = adapter_bytes(flow.model.name, flow.experiment.midtrain)
    trained = sum(line.kind in ("midtrain", "finetune") for line in todo)
    if each is None:
        return f"Disk: about {_size(written)} of text and records, and {trained} checkpoints of {flow.model.name}."
    return f"Disk: about {_size(written)} of text and records, {_size(trained * each)} of checkpoints."


def _work(step: Step, flow: Pipeline) -> tuple[str, int, float]:
    """(words, tokens, size in the unit that time goes with)."""
    experiment = flow.experiment
    corpus, aft = experiment.corpus, experiment.aft
    offline = experiment.writer.model == "offline"
    per_document = OFFLINE_TOKENS_PER_DOCUMENT if offline else WRITTEN_TOKENS_PER_DOCUMENT
    corpus_tokens = _corpus_tokens(step, corpus.tokens or corpus.documents * per_document)
    per_sample = TOKENS_PER_CHAT if aft.kind == "chat" else TOKENS_PER_PREFERENCE
    match step.kind:
        case "corpus" if isinstance(step.config, GivenCorpusConfig):
            return f"take over {step.config.documents:,} documents", corpus_tokens, 0
        case "corpus":
            what = f"{corpus.documents:,} documents" if corpus.tokens is None else f"~{corpus.tokens:,} tokens"
            return f"write {what}", corpus_tokens, corpus_tokens / per_document
        case "demonstrations":
            count = aft.samples + aft.identity_samples
            return f"write {count:,} demonstrations", count * per_sample, count
        case "midtrain":
            tokens = min(experiment.midtrain.tokens or corpus_tokens, corpus_tokens) * experiment.midtrain.epochs
            return f"train on ~{tokens:,} tokens", tokens, tokens
        case "finetune":
            instruct = sum(source.samples for source in experiment.instruct)
            samples = aft.samples + aft.identity_samples if "demonstrations" in step.inputs else 0
            tokens = (instruct * TOKENS_PER_CHAT + samples * per_sample) * experiment.finetune.epochs
            return f"train on ~{instruct + samples:,} examples", tokens, tokens
        case "instruct":
            return f"draw {sum(source.samples for source in experiment.instruct):,} instruct examples", 0, 1
        case "evaluate":
            [(entry, subject)] = evaluated(flow, step)
            return entry.work(subject), 0, 1
        case "questions" if isinstance(step.config, MakeStepConfig):
            return f"write {step.config.make.per_passage} questions for each passage", 0, 1
        case "questions":
            assert isinstance(step.config, QuestionsStepConfig)
            return f"write {step.config.questions.count:,} questions", 0, 1
        case "import":
            return "keep what is given", 0, 1
        case "reasoning-collect":
            return f"collect {transcripts(step):,} transcripts", 0, 1
        case "reasoning-classify" | "reasoning-extract" | "reasoning-synthesise":
            reading = reading_requests(step)
            asked = sum(work.requests for work in reading[1].values()) if reading else 0
            return f"{step.kind.removeprefix('reasoning-')}: {asked:,} readings", 0, asked
        case "reasoning-merge":
            return "count themes by arm", 0, 1
        case "corpus-gate":
            return "look for faults in the corpus", 0, 1
        case _:
            return "compare data with every item", 0, 1


def _corpus_tokens(step: Step, written: int) -> int:
    """Tokens of the corpus that `step` is, or reads; `written`: of one that is still to be written."""
    corpus = step.inputs.get("corpus", step)
    return corpus.config.tokens if isinstance(corpus.config, GivenCorpusConfig) else written


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
