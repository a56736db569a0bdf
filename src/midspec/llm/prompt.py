"""A prompt is a Jinja file beside the stage that uses it, and a strict parser for the reply.

A stage asks through `PromptTemplate`; who answers (the offline writer, a language model) is not its concern. The
offline writer reads the template's name and variables, a language model reads the rendered text; both answer in the
same form, and the same parser reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Generic, Literal, TypeVar, get_args

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template, meta
from pydantic import BaseModel, ValidationError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def _prompt_file(name: str) -> str:
    """Text of the prompt file that templates include as `folder/file.jinja`."""
    folder, file = name.split("/")
    return files("midspec").joinpath(folder, "prompts", file).read_text(encoding="utf-8")


_JINJA = Environment(
    loader=FunctionLoader(_prompt_file),
    undefined=StrictUndefined,
    keep_trailing_newline=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


class BadReplyError(ValueError):
    """A reply that cannot be used. `reason` is what tallies count: refused, truncated, unparseable, off-spec, or a
    fault of the text itself, such as `placeholder`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Ask:
    """One request: everything that decides the reply."""

    template: str
    """Template name, e.g. `corpus/document`."""
    system: str
    """The long part shared by many requests (the spec); providers can cache it."""
    user: str
    variables: Mapping[str, Any]
    """What the template was rendered with; the offline writer answers from these."""
    sample: int
    """Sample index: another index asks for another reply to the same request."""
    stage: int = 0
    """Place of the prompt in its pipeline; where slots are short, requests of earlier stages go first."""
    schema: type[BaseModel] | None = None
    """Form of the reply, for servers that can hold a model to it."""


StopReason = Literal["stop", "max_tokens", "refusal", "error"]


@dataclass(frozen=True)
class Reply:
    """What came back, before anybody parsed it."""

    text: str
    stop_reason: StopReason = "stop"
    """`error` also stands for a reply that ended for no reason known, such as a cut stream."""
    input_tokens: int = 0
    """Not cached."""
    cached_tokens: int = 0
    """Read from the provider's prompt cache."""
    cache_write_tokens: int = 0
    """Written to it."""
    output_tokens: int = 0
    dollars: float = 0.0
    key: str = ""
    """In the journal; empty for replies that are in none."""
    replayed: bool = False
    """Read from the journal: paid for in an earlier run."""


class PromptTemplate(Generic[T]):
    """A Jinja file `<stage>/prompts/<name>.jinja` with two blocks, `system` and `user`, and the parser of replies.

    Parts that prompts share stand in files whose names begin with an underscore and are included.
    """

    _system = ""

    def __init__(
        self, name: str, parse: Callable[[str], T], *, stage: int = 0, schema: type[BaseModel] | None = None
    ) -> None:
        """`name` is `folder/file`; `parse` raises BadReplyError for a reply it cannot use; others as in `Ask`."""
        self.name = name
        self.parse = parse
        self.stage = stage
        self.schema = schema

    @cached_property
    def source(self) -> str:
        """The template's text."""
        return _prompt_file(f"{self.name}.jinja")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the template's text and of all it includes: a changed prompt is a changed step."""
        texts = {self.name: self.source}
        to_read = [self.source]
        while to_read:
            for name in sorted(filter(None, meta.find_referenced_templates(_JINJA.parse(to_read.pop())))):
                if name not in texts:
                    texts[name] = _prompt_file(name)
                    to_read.append(texts[name])
        return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _template(self) -> Template:
        # Compiling costs a hundred times what rendering does.
        return _JINJA.from_string(self.source)

    def ask(self, variables: Mapping[str, Any], sample: int = 0) -> Ask:
        """Render with `variables` (every one the template names must be there)."""
        blocks = self._template.blocks
        context = self._template.new_context(dict(variables))
        text = {block: "".join(blocks[block](context)).strip() for block in ("system", "user")}
        if text["system"] == self._system:  # a thousand asks in flight hold a long spec once
            text["system"] = self._system
        self._system = text["system"]
        return Ask(self.name, text["system"], text["user"], variables, sample, self.stage, self.schema)


def one_of(form: Any, tag: str = "verdict") -> Callable[[str], Any]:
    """A parser for a reply whose `<tag>` holds one word of `form`, a Literal, and nothing else: "NOT FIRST" is none."""
    words: tuple[str, ...] = get_args(form)

    def parse(text: str) -> str:
        said = between_tags(text, tag)
        if said in words:
            return said
        expected = f"{', '.join(words[:-1])} or {words[-1]}"
        raise BadReplyError("unparseable", f"{said[:80]!r} is no {tag}; expected {expected}")

    return parse


def between_tags(text: str, tag: str) -> str:
    """The stripped text inside the one `<tag>...</tag>` of a reply.

    Raises BadReplyError where the tag is missing, unclosed, empty or there more than once: a reply without its closing
    tag is cut or rambling, and must not reach a corpus.
    """
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
    if len(found) != 1 or text.count(f"<{tag}>") != 1 or text.count(f"</{tag}>") != 1:
        raise BadReplyError("unparseable", f"expected exactly one <{tag}>...</{tag}>, found {len(found)}")
    inner = found[0].strip()
    if not inner:
        raise BadReplyError("unparseable", f"<{tag}> is empty")
    return inner


def json_reply(model: type[M], tag: str = "json") -> Callable[[str], M]:
    """A parser for replies whose answer is one JSON value, validated as `model`: inside `<tag>`, or the whole reply, as
    servers give it that hold a model to a schema."""

    def parse(text: str) -> M:
        inner = between_tags(text, tag) if f"<{tag}>" in text or f"</{tag}>" in text else text.strip()
        inner = re.sub(r"^```(?:json)?\s*|\s*```$", "", inner)
        try:
            return model.model_validate(json.loads(inner, strict=False))
        except json.JSONDecodeError as error:
            raise BadReplyError("unparseable", f"not JSON: {error}") from error
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise BadReplyError("unparseable", f"{where}: {problem['msg']}") from error

    return parse
