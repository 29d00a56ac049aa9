"""Values as programs give them, as the command line would have them.

`Config` has its options checked, and hands them to other processes, by these texts.
"""

from __future__ import annotations

import contextlib
import enum
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from smolcorn.config import DEFAULT_LOGGING, LOG_LEVELS
from smolcorn.errors import ConfigError

if TYPE_CHECKING:
    from configparser import RawConfigParser

_FOREVER = "4294967295"
"""The longest time that the core takes, seconds."""


def texts(name: str, value: Any) -> list[str] | None:
    """The value of an option; None: it is not there."""
    if value is None:
        return None
    if name == "headers":
        return [_header(line) for line in value]
    if name == "uds_mode" and isinstance(value, int):
        return [format(value, "o")]
    if name == "forwarded_allow_ips" and not isinstance(value, str):
        return [",".join(value)]
    if isinstance(value, (list, tuple, set)):
        return [_text(item) for item in value]
    if name == "loop" and not isinstance(value, str):
        return None
    if name in ("http", "ws") and str(value).startswith("uvicorn.protocols."):
        return ["auto"]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        # `ssl.CERT_REQUIRED`, whose text is its name before Python 3.11.
        return _text(value.value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, type):
        engine: str | None = getattr(value, "smolcorn_engine", None)
        return engine or f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, float) and math.isinf(value):
        return _FOREVER
    return str(value)


def _header(line: str | Sequence[str | bytes]) -> str:
    if isinstance(line, str):
        return line
    name, value = line
    return f"{_text(name)}:{_text(value)}"


def log_config(
    value: Any,
) -> str | Mapping[str, Any] | RawConfigParser | Literal[False]:
    """What `Settings` has for it."""
    if value is None or value is False:
        return False
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if hasattr(value, "read"):
        from configparser import ConfigParser

        parser = ConfigParser()
        parser.read_file(value)
        return parser
    return cast("str | Mapping[str, Any] | RawConfigParser", value)


@contextlib.contextmanager
def json_file(config: Any) -> Iterator[str | None]:
    """A file that says what a logging configuration says, for another process."""
    if config is False or config == DEFAULT_LOGGING:
        yield None
        return
    import json
    import tempfile

    try:
        text = json.dumps(config)
    except TypeError as error:
        raise ConfigError(
            f"'log_config' cannot be handed to another process: {error}. Use a file."
        ) from None
    descriptor, path = tempfile.mkstemp(prefix="smolcorn-log-", suffix=".json")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        os.unlink(path)


def level_name(number: int) -> str:
    """The name of a log level. Raises ConfigError if it has none."""
    for name, value in LOG_LEVELS.items():
        if value == number:
            return name
    raise ConfigError(
        f"The log level {number} has no name, and other processes need one."
    )
