"""Reads logging configurations from files: JSON, YAML, TOML and Python's ini format.

Configurations written for uvicorn work as they are: they name its formatter classes,
and those names mean ours, whether uvicorn is installed or not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smolcorn.errors import ConfigError

# What reads a kind of file is imported with the first such file: most servers have none.
if TYPE_CHECKING:
    from configparser import RawConfigParser

_OWN_CLASSES = {
    f"uvicorn.logging.{name}": f"smolcorn.logging.{name}"
    for name in ("DefaultFormatter", "AccessFormatter", "ColourizedFormatter")
}


def read(path: str) -> Mapping[str, Any] | RawConfigParser:
    """Returns the file's configuration in the form that `logging.config` takes."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".json":
        config = _read_json(path)
    elif suffix in (".yaml", ".yml"):
        config = _read_yaml(path)
    elif suffix == ".toml":
        config = _read_toml(path)
    else:
        return _read_ini(path)
    if not isinstance(config, dict):
        raise ValueError("it holds no mapping")
    return config


def with_own_classes(config: Any) -> Any:
    """Returns `config` with uvicorn's formatter classes replaced by ours."""
    if isinstance(config, dict):
        return {key: with_own_classes(value) for key, value in config.items()}
    if isinstance(config, list):
        return [with_own_classes(value) for value in config]
    if isinstance(config, str):
        return _OWN_CLASSES.get(config, config)
    return config


def set_colors(config: dict[str, Any], use_colors: bool) -> None:
    """Makes the two formatters use colours or not, where they are ours."""
    formatters = config.get("formatters", {})
    for name in ("default", "access"):
        formatter = formatters.get(name, {})
        if formatter.get("()") in _OWN_CLASSES.values():
            formatter["use_colors"] = use_colors


@contextmanager
def errors_name(path: str | None) -> Iterator[None]:
    """Turns every error inside into a ConfigError that names the file."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        where = "logging configuration" if path is None else f"log config '{path}'"
        raise ConfigError(f"Error in {where}: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    """The error and what caused it, in one line."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        if not any(str(cause) in text for text in told):
            named = isinstance(cause, (ValueError, OSError))
            text = str(cause) if named else f"{type(cause).__name__}: {cause}"
            told.append(" ".join(text.split()))
        cause = cause.__cause__
    return ": ".join(told)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _read_json(path: str) -> Any:
    import json

    return json.loads(_text(path))


def _read_yaml(path: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ConfigError(
            "Install the PyYAML package to use `--log-config` with YAML files."
        ) from None
    return yaml.safe_load(_text(path))


def _read_toml(path: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ConfigError(
                "Install the tomli package, or use Python 3.11 or newer, "
                "to use `--log-config` with TOML files."
            ) from None
    return tomllib.loads(_text(path))


def _read_ini(path: str) -> RawConfigParser:
    import configparser

    parser = configparser.ConfigParser()
    parser.read_string(_text(path), source=path)
    if not parser.sections():
        raise ValueError("it is empty")
    for section in parser.sections():
        name = parser.get(section, "class", raw=True, fallback="")
        if name in _OWN_CLASSES:
            parser.set(section, "class", _OWN_CLASSES[name])
    return parser
