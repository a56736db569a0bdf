"""Read a recipe file: profile and overrides laid over it, paths made local, problems named by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from midspec.errors import InputError
from midspec.experiment import ONLY_SET, Experiment

C = TypeVar("C", bound=BaseModel)


def load_recipe(path: str | Path, *, profile: str | None = None, overrides: list[str] | None = None) -> Experiment:
    """Read a recipe, lay one of its `profiles` over it, then `key=value` overrides (dotted keys, YAML values).

    Spec, preference and data paths are resolved from the recipe's folder. Raises InputError naming file, key, value and
    remedy.
    """
    data = _read(path)
    profiles = data.pop("profiles", None) or {}
    if profile is not None:
        if profile not in profiles:
            raise InputError(
                f"recipe {str(path)!r} has no profile {profile!r}; it has: {', '.join(profiles) or 'none'}"
            )
        data = _merged(data, profiles[profile])
    for override in overrides or []:
        data = _merged(data, parse_override(override))
    _localise(data, Path(path).parent)
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        lines = [f"  {describe(problem)}" for problem in error.errors()]
        raise InputError("\n".join([f"recipe {str(path)!r} has {len(lines)} problem(s):", *lines])) from error


def profiles_of(path: str | Path) -> list[str]:
    """Names of a recipe's profiles. Raises InputError for a file that is none."""
    return list(_read(path).get("profiles") or {})


def _read(path: str | Path) -> dict[str, Any]:
    """Keys and values as they stand in the file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"recipe {str(path)!r} cannot be read: {reason}; see recipes/ for examples") from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"recipe {str(path)!r} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise InputError(
            f"recipe {str(path)!r} holds {type(data).__name__}; expected keys and values, e.g. `name: ...`"
        )
    return data


def validated(config: type[C], **values: Any) -> C:
    """`config(**values)` with an InputError instead of a ValidationError, for values from command-line options."""
    try:
        return config(**values)
    except ValidationError as error:
        raise InputError("; ".join(describe(problem, config) for problem in error.errors())) from error


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key; anything else, lists too, is replaced."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result


def parse_override(text: str) -> dict[str, Any]:
    """`a.b=1` as `{"a": {"b": 1}}`; the value is YAML. Raises InputError for text of another form."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {text!r} cannot be read; expected key=value, e.g. --set corpus.documents=100")
    nested: Any = yaml.safe_load(value)
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return nested


def _localise(data: dict[str, Any], folder: Path) -> None:
    """Turn relative paths that exist beside the recipe into paths that work from anywhere."""

    def local(value: Any) -> Any:
        return str(folder / value) if isinstance(value, str) and (folder / value).is_file() else value

    def local_task(value: Any) -> Any:
        path, at, task = value.rpartition("@") if isinstance(value, str) else ("", "", "")
        return f"{local(path)}@{task}" if at else value

    def local_questions(value: Any) -> Any:
        # A folder of made questions; the word `made` is none, nor is the name of a packaged set.
        beside = isinstance(value, str) and any((folder / value).glob("choices.jsonl"))
        return str(folder / value) if beside else local(value)

    def local_eval(entry: Any) -> Any:
        if not isinstance(entry, dict):
            return local_task(entry)
        return _changed({**entry, "task": local_task(entry.get("task"))}, local_questions, "questions", "value")

    def local_source(entry: Any) -> Any:
        return _changed(entry, local, "dataset")

    changes: dict[str, Callable[[Any], Any]] = {
        "specs": lambda specs: _changed(specs, local),
        "corpora": lambda corpora: _changed(corpora, lambda entry: _changed(local(entry), local, "file")),
        "aft": lambda sets: _changed(
            _changed(sets, local, "preferences", "file"), lambda own: _changed(own, local, "preferences", "file")
        ),
        "instruct": lambda sources: _changed(sources, local_source),
        "midtrain": lambda midtrain: _changed(midtrain, lambda replay: _changed(replay, local, "file"), "replay"),
        "after": lambda after: _changed(
            after, lambda entry: _changed(entry, lambda sources: _changed(sources, local_source), "instruct")
        ),
        "evals": lambda evals: _changed(evals, local_eval),
        "published": local,
        "reasoning": lambda reasoning: _changed(reasoning, local, "themes"),
    }
    for key, change in changes.items():
        if key in data:
            data[key] = change(data[key])


def _changed(value: Any, change: Callable[[Any], Any], *keys: str) -> Any:
    """A list with every entry changed; a mapping with those of `keys`, or all; anything else as it is."""
    if isinstance(value, list):
        return [change(entry) for entry in value]
    if isinstance(value, dict):
        return {key: change(entry) if not keys or key in keys else entry for key, entry in value.items()}
    return value


def describe(problem: Any, root: type[BaseModel] = Experiment) -> str:
    """One of pydantic's errors in a sentence, with the key it is about; `root`: the config that was read."""
    # The only set of a recipe has a name that nobody gave it.
    place = problem["loc"][1:] if problem["loc"][:2] == (ONLY_SET, ONLY_SET) else problem["loc"]
    where = ".".join(str(part) for part in place) or "recipe"
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key; known keys: {', '.join(_known_keys(problem['loc'][:-1], root)) or 'none'}"
    if problem["type"] == "missing":
        return f"{where}: is missing; expected a value"
    given = "" if problem["type"] == "value_error" else f" (got {problem['input']!r})"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}{given}"


def _known_keys(location: tuple[Any, ...], root: type[BaseModel]) -> list[str]:
    """Keys of the config at `location`."""
    annotation: Any = root
    for part in location:
        if get_origin(annotation) in (dict, tuple):  # `part` is a name or a place in it
            annotation = get_args(annotation)[1 if get_origin(annotation) is dict else 0]
        else:
            keys = _keys(annotation)
            annotation = keys[part].annotation if part in keys else None
        annotation = _plain(annotation)
    return list(_keys(annotation))


def _plain(annotation: Any) -> Any:
    """Without what is said about it, and of a choice the config."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return next((one for one in get_args(annotation) if hasattr(one, "model_fields")), None)
    return annotation


def _keys(config: Any) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in getattr(config, "model_fields", {}).items()}
