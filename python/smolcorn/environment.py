"""The environment: files of variables, and what is read after them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from smolcorn.config import Settings
from smolcorn.errors import EXIT_USAGE, ConfigError

_logger = logging.getLogger("uvicorn.error")


def complete(settings: Settings) -> Settings:
    """Loads the env files; then lets the core read what they may have set.

    Raises ConfigError.
    """
    load_files(settings.env_files)
    try:
        native = settings.native.with_late_environment()
    except ValueError as error:
        raise ConfigError(str(error), EXIT_USAGE) from None
    return settings._replace(native=native)


def load_files(paths: Iterable[str]) -> None:
    """Sets the files' variables that are not set already. Of several files the later
    one wins. Raises ConfigError for a file that cannot be read."""
    from smolcorn import _core

    found: dict[str, str] = {}
    for path in paths:
        _logger.info("Loading environment from '%s'", path)
        try:
            variables, bad_lines = _core.read_env_file(path, list(found.items()))
        except ValueError as error:
            raise ConfigError(str(error)) from None
        for line in bad_lines:
            _logger.warning("Line %d of '%s' sets no variable.", line, path)
        found.update(variables)
    for name, value in found.items():
        try:
            os.environ.setdefault(name, value)
        except ValueError as error:
            raise ConfigError(f"Cannot set the variable '{name}': {error}") from None
