"""Which task of Inspect's a name means, found by reading source text. Imports neither Inspect nor the task's package.

A mistake in a recipe should be said before anything is trained, and loading a package of a hundred tasks to do so would
take longer than the rest of the plan.
"""

from __future__ import annotations

import ast
import hashlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from midspec.errors import InputError

_HOPS = 6
"""Imports followed from a package's registry to the function itself."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Found(NamedTuple):
    """A task and what decides its code."""

    task: str
    """As Inspect knows it: `inspect_evals/ifeval`, or the function's name for a file."""
    code: str
    """`inspect_evals==0.26.0`, or `sha256:...` of the file."""
    file: Path | None
    """For a task of a file."""
    arguments: frozenset[str] | None
    """Names it takes; None where they are not known, or any are taken."""


def find_task(name: str) -> Found:
    """The task that `PACKAGE/NAME` or `FILE.py@NAME` means.

    Raises InputError for a package that is not installed or has no such task, and for a file without it; it names those
    there are.
    """
    path, at, task = name.rpartition("@")
    return _in_file(name, Path(path), task) if at else _in_package(name)


def _in_file(name: str, path: Path, task: str) -> Found:
    try:
        content = path.read_bytes()
        functions = _functions(content)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; expected FILE.py@TASK, e.g. evals/mine.py@mine"
        ) from error
    except SyntaxError as error:
        raise InputError(f"{path} is not Python: line {error.lineno}: {error.msg}") from error
    tasks = {function.name: function for function in functions if _is_task(function)}
    if task not in tasks:
        raise InputError(
            f"{path} has no task {task!r}; its functions with @task are: {', '.join(tasks) or 'none'} (in {name!r})"
        )
    return Found(task, f"sha256:{hashlib.sha256(content).hexdigest()}", path.resolve(), _arguments(tasks[task]))


def _in_package(name: str) -> Found:
    package, _, task = name.partition("/")
    distribution = _distribution(package)
    if distribution is None:
        raise InputError(
            f"evaluation {name!r}: no installed package {package!r} offers tasks to Inspect; expected one of: "
            f"{', '.join(sorted(_offering()))}, or install it (inspect_evals: pip install 'midspec[eval]')"
        )
    code = f"{package}=={distribution.version}"
    registry = _registry(distribution)
    if registry is None:
        return Found(name, code, None, None)
    offered = _names(registry)
    if task not in offered:
        near = [one for one in sorted(offered) if one[:1] == task[:1]] or sorted(offered)
        raise InputError(
            f"{code} has no task {task!r}; of its {len(offered)} tasks these begin alike: {', '.join(near)}"
        )
    function = _followed(registry, task, _HOPS)
    return Found(name, code, None, None if function is None else _arguments(function))


def _offering() -> dict[str, metadata.Distribution]:
    """Package (as tasks are named after it) -> its distribution, of those with an entry point for Inspect."""
    return {
        entry.value.partition(":")[0].partition(".")[0]: entry.dist
        for entry in metadata.entry_points(group="inspect_ai")
        if entry.dist is not None
    }


def _distribution(package: str) -> metadata.Distribution | None:
    return _offering().get(package)


def _registry(distribution: metadata.Distribution) -> Path | None:
    """The source of the module that tells Inspect about a package's tasks."""
    modules = [entry.value.partition(":")[0] for entry in distribution.entry_points if entry.group == "inspect_ai"]
    return _source(modules[0]) if modules else None


def _source(module: str) -> Path | None:
    """File of a module, without importing it: only its topmost package is looked up."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, *rest)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file() and (rest or file.name == "__init__.py"):
                return file
    return None


def _names(registry: Path) -> set[str]:
    """Names that the registry imports or defines."""
    tree = ast.parse(registry.read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    return imported | {node.name for node in tree.body if isinstance(node, Function)}


def _followed(file: Path, name: str, hops: int) -> Function | None:
    """The definition of `name`, through the imports of `file`; None where it cannot be found this way."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, Function) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and hops:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    source = _imported(file, node)
                    return _followed(source, alias.name, hops - 1) if source else None
    return None


def _imported(file: Path, node: ast.ImportFrom) -> Path | None:
    if not node.level:
        return _source(node.module or "")
    folder = file.parents[node.level - 1]
    path = folder.joinpath(*(node.module or "").split(".")) if node.module else folder
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def _functions(content: bytes) -> list[Function]:
    return [node for node in ast.parse(content).body if isinstance(node, Function)]


def _is_task(function: Function) -> bool:
    """Whether it is decorated with `@task`, `@task(...)` or `@inspect_ai.task`."""
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (isinstance(called, ast.Name) and called.id == "task") or (
            isinstance(called, ast.Attribute) and called.attr == "task"
        ):
            return True
    return False


def _arguments(function: Function) -> frozenset[str] | None:
    arguments = function.args
    if arguments.kwarg is not None:
        return None
    return frozenset(one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))
