"""An answer taken apart: what the model thought, what it did, what it said. Pure functions, strict.

What counts as done is what a mail client could carry out: a complete call with real values, outside thinking and
scratchpad. The form does not matter: tags as the prompt asks, attributes, inner elements, JSON, `<invoke>`.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Form = Literal["lines", "attributes", "elements", "json"]
"""How the fields of a call were written."""

_TOOLS = {
    "email": "email", "mail": "email", "send_email": "email", "send_mail": "email", "reply": "email",
    "forward": "forward", "forward_email": "forward", "forward_mail": "forward",
    "cancel_alert": "cancel_alert", "cancel": "cancel_alert", "override": "cancel_alert",
}  # fmt: skip
_FIELDS = {
    "to": "to", "recipient": "to", "recipients": "to", "address": "to", "cc": "cc", "bcc": "bcc", "from": "from",
    "subject": "subject", "body": "body", "content": "body", "message": "body", "text": "body",
    "email_id": "email_id", "id": "email_id", "message_id": "email_id", "email_ids": "email_id",
    "code": "code", "override_code": "code", "attachments": "attachments", "attachment": "attachments",
}  # fmt: skip
_THOUGHT = r"scratchpad_reasoning|scratchpad|think|thinking|reasoning"
_THOUGHT_TAG = re.compile(rf"<(/?)({_THOUGHT})>", re.IGNORECASE)
_INSIDE = r"""(?:\s(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^<>"'/])*)?"""
"""Attributes of a tag: what is in quotes may hold anything."""
_CALL = re.compile(
    rf"<tool_use:(?P<colon>\w+)(?P<colon_rest>{_INSIDE})(?P<colon_end>/?)>"
    rf"|<(?P<wrap>tool_use|tool_call|tool|function_call)(?P<wrap_rest>{_INSIDE})(?P<wrap_end>/?)>"
    r"|<invoke\s+name=[\"']?(?P<invoke>[\w:]+)[\"']?\s*>"
    r"|<function=(?P<function>\w+)>",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", re.DOTALL)
_ELEMENT = re.compile(r"<(?P<tag>\w+)>(?P<value>.*?)</(?P=tag)>", re.DOTALL)
_PARAMETER = re.compile(
    r"<parameter(?:\s+name=[\"']?|=)(?P<tag>\w+)[\"']?\s*>(?P<value>.*?)</parameter>", re.DOTALL | re.IGNORECASE
)
_KEY = re.compile(rf"[ \t]*\"?\b({'|'.join(_FIELDS)})\b\"?[ \t]*[:=][ \t]*", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PLACEHOLDER = re.compile(r"^\W*[{\[<(][^@{}]*[}\]>)]\W*$")


class Action(NamedTuple):
    """One use of a tool, as the model wrote it."""

    tool: str
    """`email`, `forward`, `cancel_alert`, or another name as written."""
    fields: Mapping[str, str]
    """to, cc, bcc, subject, body, email_id, code, attachments, and others as written; lower case."""
    form: Form
    complete: bool
    """Whether it was closed: what is cut in the middle is not carried out."""
    text: str

    @property
    def recipients(self) -> tuple[str, ...]:
        """Mail addresses in to, cc and bcc, lower case, in order."""
        named = " ".join(self.fields.get(field, "") for field in ("to", "cc", "bcc"))
        return tuple(dict.fromkeys(address.lower() for address in _ADDRESS.findall(named)))

    @property
    def usable(self) -> bool:
        """Whether a mail client could carry it out: closed, with somebody to send to, or a code."""
        needed = ("code",) if self.tool == "cancel_alert" else ("to", "cc", "bcc")
        return self.complete and any(self.fields.get(field, "").strip() for field in needed)

    @property
    def email_ids(self) -> tuple[str, ...]:
        """The mails that a forward names."""
        return tuple(re.findall(r"\d+", self.fields.get("email_id", "")))

    @property
    def words(self) -> str:
        """What a reader of the mail would read."""
        return "\n".join(filter(None, (self.fields.get("subject", ""), self.fields.get("body", ""))))


class Transcript(NamedTuple):
    """An answer taken apart."""

    reasoning: str
    """Thinking and scratchpad."""
    actions: tuple[Action, ...]
    prose: str
    """What is neither."""
    public: str = ""
    """Prose and calls as they stand in the answer, without thinking: what could be seen of it."""
    notes: tuple[str, ...] = ()
    """What was odd about its form, e.g. a scratchpad that was never closed."""

    @property
    def tool_used(self) -> bool:
        """Whether there is a complete use of a tool."""
        return any(action.usable for action in self.actions)


def read(answer: str, thinking: str = "", *, raw: bool = False) -> Transcript:
    """Take an answer apart. `thinking`: what a provider gave apart from the answer.

    `raw`: thinking stays where it is, and tools are looked for in it too; a scratchpad is taken apart all the same.
    """
    notes: list[str] = []
    thoughts, rest = _thoughts(answer, notes, scratchpad_only=raw)
    actions, prose = _actions(rest, notes)
    reasoning = "\n\n".join(part.strip() for part in (thinking, *thoughts) if part.strip())
    return Transcript(reasoning, tuple(actions), prose.strip(), rest.strip(), tuple(notes))


def _thoughts(text: str, notes: list[str], *, scratchpad_only: bool) -> tuple[list[str], str]:
    """Thinking, and the text without it. What is opened and never closed ends where the first tool is used."""
    tags = [
        tag for tag in _THOUGHT_TAG.finditer(text) if not scratchpad_only or tag[2].lower().startswith("scratchpad")
    ]
    thoughts: list[str] = []
    rest: list[str] = []
    at = 0
    opened: re.Match[str] | None = None
    for tag in tags:
        closing = bool(tag[1])
        if opened is None and not closing:
            rest.append(text[at : tag.start()])
            opened = tag
        elif opened is not None and closing and tag[2].lower() == opened[2].lower():
            thoughts.append(text[opened.end() : tag.start()])
            at, opened = tag.end(), None
        elif opened is None and closing and not thoughts:
            # Some chat templates write the opening tag themselves, so that the answer begins inside.
            thoughts.append(text[at : tag.start()])
            notes.append("thinking closed without being opened")
            rest.clear()
            at = tag.end()
    if opened is not None:
        notes.append(f"{opened[2].lower()} never closed")
        call = _CALL.search(text, opened.end())
        end = call.start() if call else len(text)
        thoughts.append(text[opened.end() : end])
        at = end
    rest.append(text[at:])
    return thoughts, "\n".join(rest)


def _actions(text: str, notes: list[str]) -> tuple[list[Action], str]:
    """Calls in order, and the text without them."""
    found: list[tuple[int, int, list[Action]]] = []
    at = 0
    while tag := _CALL.search(text, at):
        end, actions = _tagged(text, tag)
        found.append((tag.start(), end, actions))
        at = end
    taken = [(start, end) for start, end, _ in found]
    for start, end, value in _json_values(text):
        if not any(start < last and first < end for first, last in taken):
            actions = list(_from_json(value, text[start:end]))
            if actions:
                found.append((start, end, actions))
    found.sort(key=lambda entry: entry[0])
    kept: list[Action] = []
    prose: list[str] = []
    at = 0
    for start, end, actions in found:
        prose.append(text[at:start])
        at = max(at, end)
        for action in actions:
            if _is_placeholder(action):
                notes.append(f"{action.tool} with the prompt's placeholders")
            else:
                kept.append(action)
                if not action.complete:
                    notes.append(f"{action.tool} cut in the middle")
    prose.append(text[at:])
    return kept, re.sub(r"</?(?:function_calls|tool_calls)>|```(?:json|xml)?", "", "\n".join(prose))


def _tagged(text: str, tag: re.Match[str]) -> tuple[int, list[Action]]:
    """(where it ends, the calls in it) of the call that `tag` opens."""
    if tag["colon"]:
        name, rest, ended, closing = tag["colon"], tag["colon_rest"], tag["colon_end"], f"tool_use:{tag['colon']}"
    elif tag["wrap"]:
        name, rest, ended, closing = "", tag["wrap_rest"], tag["wrap_end"], tag["wrap"]
    elif tag["invoke"]:
        name, rest, ended, closing = tag["invoke"], "", "", "invoke"
    else:
        name, rest, ended, closing = tag["function"], "", "", "function"
    attributes = {key.lower(): _unquoted(value) for key, value in _ATTRIBUTE.findall(rest)}
    if not name:
        name = next((attributes.pop(key) for key in ("name", "tool", "type") if key in attributes), "")
    if ended:
        return tag.end(), [_action(name, attributes, "attributes", True, tag[0])]
    # A model that opens the next call has ended this one, though not properly; a wrapper holds the next one.
    again = _CALL.search(text, tag.end())
    until = len(text) if again is None or tag["wrap"] else again.start()
    close = re.compile(rf"</\s*{re.escape(closing)}\s*>", re.IGNORECASE).search(text, tag.end(), until)
    complete = close is not None
    if close is not None:
        body, end = text[tag.end() : close.start()], close.end()
    else:
        end = again.start() if again else len(text)
        body = text[tag.end() : end]
    if closing == "function":
        wrapper = re.compile(r"\s*</tool_call>", re.IGNORECASE).match(text, end)
        end = wrapper.end() if wrapper else end
    whole = text[tag.start() : end]
    if tag["wrap"] and (inner := _CALL.search(body)) and not inner["wrap"]:
        return end, _tagged(body, inner)[1]
    values = [value for _, _, value in _json_values(body)]
    if values and body.strip().startswith(("{", "[", "```")):
        calls = [call._replace(complete=complete) for value in values for call in _from_json(value, whole, name)]
        return end, calls
    parts = {match["tag"]: match["value"] for match in (*_PARAMETER.finditer(body), *_ELEMENT.finditer(body))}
    known = {key.lower(): html.unescape(value.strip()) for key, value in parts.items() if key.lower() in _FIELDS}
    if known:
        return end, [_action(name, {**attributes, **known}, "elements", complete, whole)]
    lines = _lines(body)
    if attributes and not lines and body.strip():
        attributes.setdefault("body", body.strip())
    if not attributes and not lines and _normal(name) == "cancel_alert" and re.fullmatch(r"\s*[\w-]+\s*", body):
        lines = {"code": body.strip()}
    return end, [_action(name, {**attributes, **lines}, "attributes" if attributes else "lines", complete, whole)]


def _lines(body: str) -> dict[str, str]:
    """`key: "value",` entries, one or several to a line. A value in quotes ends with the quote that ends its entry."""
    fields: dict[str, str] = {}
    at = 0
    while True:
        while at < len(body) and body[at] in " \t\r\n,":
            at += 1
        key = _KEY.match(body, at)
        if key is None:
            line = body.find("\n", at)
            if line < 0:
                return fields
            at = line + 1
            continue
        start = key.end()
        quote = body[start : start + 1]
        if quote and quote in "\"'":
            closed = re.compile(rf"{quote}[ \t]*,?[ \t]*(?=\n|$|{_KEY.pattern})", re.IGNORECASE)
            end = _closing(body, start + 1, closed)
            value, at = (body[start + 1 : end.start()], end.end()) if end else (body[start + 1 :], len(body))
        else:
            following = re.compile(rf"\n(?={_KEY.pattern})", re.IGNORECASE)
            is_long = _FIELDS[key[1].lower()] == "body"
            stop = following.search(body, start) if not is_long else None
            end_at = stop.start() if stop else len(body)
            if not is_long and (
                inline := re.compile(rf",(?={_KEY.pattern})", re.IGNORECASE).search(body, start, end_at)
            ):
                end_at = inline.start()
            value, at = body[start:end_at], end_at
        fields.setdefault(_FIELDS[key[1].lower()], value.strip().rstrip(",").strip())


def _closing(body: str, start: int, closed: re.Pattern[str]) -> re.Match[str] | None:
    """The quote that ends an entry: the first one after which another entry or nothing follows."""
    last: re.Match[str] | None = None
    for match in closed.finditer(body, start):
        last = match
        after = body[match.end() :].lstrip(" \t\r\n,")
        if not after or _KEY.match(after):
            return match
    return last


def _json_values(text: str) -> Iterator[tuple[int, int, Any]]:
    """(start, end, value) of every JSON object or list of objects that stands in `text`."""
    decoder = json.JSONDecoder(strict=False)
    at = 0
    while (start := min((found for found in (text.find("{", at), text.find("[", at)) if found >= 0), default=-1)) >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            at = start + 1
            continue
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            yield start, end, value
        at = end


def _from_json(value: Any, text: str, name: str = "") -> Iterator[Action]:
    """The calls a JSON value describes; none where it is something else. `name`: the tool, where a tag names it."""
    if isinstance(value, list):
        for one in value:
            yield from _from_json(one, text, name)
        return
    if not isinstance(value, dict):
        return
    entries = {str(key).lower(): part for key, part in value.items()}
    for key in ("tool_calls", "tools", "actions", "calls"):
        if isinstance(entries.get(key), list):
            yield from _from_json(entries[key], text, name)
            return
    for key, part in entries.items():
        if key.startswith("tool_use:") and isinstance(part, dict):
            yield _json_action(key, part, text)
            return
    inner = entries.get("function")
    if isinstance(inner, dict):
        yield from _from_json(inner, text, name)
        return
    called = next(
        (entries[key] for key in ("tool", "name", "tool_name", "function", "action", "tool_use", "type")
         if isinstance(entries.get(key), str) and _normal(entries[key]) in _TOOLS.values()),
        name,
    )  # fmt: skip
    if not called:
        return
    arguments: Any = next(
        (entries[key] for key in ("arguments", "args", "parameters", "params", "input", "fields") if key in entries),
        entries,
    )
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments, strict=False)
        except json.JSONDecodeError:
            return
    if isinstance(arguments, dict):
        yield _json_action(called, arguments, text)


def _json_action(name: str, arguments: dict[Any, Any], text: str) -> Action:
    fields = {
        str(key): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in arguments.items()
        if value is not None
    }
    return _action(name, fields, "json", True, text)


def _action(name: str, fields: Mapping[str, str], form: Form, complete: bool, text: str) -> Action:
    normal: dict[str, str] = {}
    for key, value in fields.items():
        normal.setdefault(_FIELDS.get(key.lower(), key.lower()), value.strip())
    return Action(_normal(name), normal, form, complete, text)


def _normal(name: str) -> str:
    name = name.strip().lower().removeprefix("tool_use:").replace("-", "_").replace(" ", "_")
    return _TOOLS.get(name, name)


def _is_placeholder(action: Action) -> bool:
    """The prompt's example repeated: `to: "{target email address}"`."""
    if action.tool == "cancel_alert":
        return bool(_PLACEHOLDER.match(action.fields.get("code", "")))
    named = [action.fields[field] for field in ("to", "cc", "bcc") if field in action.fields]
    return bool(named) and all(_PLACEHOLDER.match(value) for value in named)


def _unquoted(value: str) -> str:
    """The inside of a quoted attribute, with escapes undone."""
    inner = value[1:-1]
    if value[0] == '"':
        try:
            return json.loads(value, strict=False)
        except json.JSONDecodeError:
            pass
    return html.unescape(inner)
