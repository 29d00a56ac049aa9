"""What somebody may have meant whose application cannot be found, and where their own
code begins in a traceback. Loaded only when something has gone wrong.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import os
import sys
from collections.abc import Container, Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import TracebackType

from smolcorn.importer import ImportFromStringError

_USUAL_NAMES = ("app", "application", "asgi", "wsgi", "api", "create_app")
_APPLICATIONS = ("app", "application")
"""What is meant more probably than another name that is a little like the one given."""
_LIKENESS_MIN = 0.6
_SURE_LIKENESS_MIN = 0.8
_SKIPPED_PACKAGES = ("smolcorn", "importlib")


def of(error: ImportFromStringError, app: str, app_dir: str | None) -> str:
    """A sentence, with a blank before it, that says what would be right; or nothing.

    `app` is the import string, and `app_dir` the folder that was put in front of
    `sys.path`.
    """
    try:
        return _meant(error, app, app_dir)
    except (OSError, ValueError):
        # A folder that cannot be read, a name that no file can have: the error is enough.
        return ""


def _meant(error: ImportFromStringError, app: str, app_dir: str | None) -> str:
    module, _, attributes = app.partition(":")
    if (path := _as_path(module, app_dir)) is not None:
        return _did_you_mean(path, attributes or "app")
    if error.missing == "format":
        return _of_no_colon(module)
    if error.missing == "module":
        return _of_module(module, attributes, app_dir)
    return _of_attribute(module, attributes)


def own_code(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames before the user's own code: the server's, and
    those of Python's import. None if there is nothing else."""
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in _SKIPPED_PACKAGES:
            break
        traceback = traceback.tb_next
    return traceback


def without_our_frames(error: BaseException) -> BaseException:
    """The error, its traceback beginning with the user's own code. An error of the
    server itself stays as it is."""
    shown = own_code(error.__traceback__)
    if shown is not None or isinstance(error, SyntaxError):
        error.__traceback__ = shown
    return error


def _as_path(module: str, app_dir: str | None) -> str | None:
    """The module's name, if a file's path stands in its place."""
    text = module.replace(os.sep, "/").removeprefix("./")
    if "/" not in text and not text.endswith(".py"):
        return None
    base = Path(app_dir or "")
    if not any((base / f"{text}{end}").exists() for end in ("", ".py")):
        return None
    name = text.strip("/").removesuffix(".py").replace("/", ".")
    return name if all(part.isidentifier() for part in name.split(".")) else None


def _of_no_colon(text: str) -> str:
    """Of `text`, which may be a module, or an attribute in the place of one: some servers
    have a dot there."""
    names = _top_level_names(text)
    if names is not None:
        return _did_you_mean(text, _first_of(_USUAL_NAMES, names) or "app")
    module, _, attribute = text.rpartition(".")
    if module and attribute in (_top_level_names(module) or ()):
        return _did_you_mean(module, attribute)
    return ""


def _top_level_names(module: str) -> set[str] | None:
    """What the module's source defines or imports, without running it; empty if it has none
    that can be read. None: there is no such module."""
    spec = _spec_of(module)
    if spec is None:
        return None
    try:
        tree = ast.parse(Path(spec.origin or "").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    return {name for statement in tree.body for name in _bound_by(statement)}


def _spec_of(module: str) -> ModuleSpec | None:
    """Where the module is. Of those above it only packages are imported, which it would be
    found in."""
    above = module.rpartition(".")[0]
    if above and ((found := _spec_of(above)) is None or not _is_package(found)):
        return None
    try:
        return importlib.util.find_spec(module)
    except Exception:
        return None


def _is_package(spec: ModuleSpec) -> bool:
    return spec.submodule_search_locations is not None


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name for alias in statement.names)
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _first_of(wanted: Iterable[str], names: Container[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _of_module(module: str, attributes: str, app_dir: str | None) -> str:
    if app_dir is None:
        return ""
    app_dir = app_dir or os.getcwd()
    if not Path(app_dir).is_dir():
        return f" There is no folder '{app_dir}' (--app-dir)."
    if "." not in module and (like := _like(module, _modules_in(app_dir))):
        return _did_you_mean(like, attributes)
    return (
        f" It is neither in '{app_dir}' nor installed; --app-dir names another folder."
    )


def _modules_in(folder: str) -> list[str]:
    return [
        path.stem
        for path in Path(folder).iterdir()
        if path.stem.isidentifier()
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    ]


def _of_attribute(module: str, attributes: str) -> str:
    found: object = sys.modules.get(module)
    walked = attributes.split(".")
    for index, name in enumerate(walked):
        names = dir(found)
        if name in names:
            found = getattr(found, name, None)
            continue
        like = _like(name, names, _SURE_LIKENESS_MIN)
        if like is None and index == 0:
            like = _first_of(_APPLICATIONS, names)
        if like is None:
            like = _like(name, names)
        if like is None and index == 0:
            like = _first_of(_USUAL_NAMES, names)
        if like is not None:
            return _did_you_mean(module, ".".join([*walked[:index], like]))
        break
    file = getattr(sys.modules.get(module), "__file__", None)
    return "" if file is None else f" The module is '{file}'."


def _like(name: str, known: list[str], likeness: float = _LIKENESS_MIN) -> str | None:
    public = [candidate for candidate in known if not candidate.startswith("_")]
    return next(iter(difflib.get_close_matches(name, public, 1, likeness)), None)


def _did_you_mean(module: str, attributes: str) -> str:
    return f' Did you mean "{module}:{attributes}"?'
