"""The environment: the env file, and the variables that are read after it."""

from __future__ import annotations

import dataclasses
import logging

from smolcorn.config import Settings
from smolcorn.errors import EXIT_USAGE, StartupError

_logger = logging.getLogger("uvicorn.error")


def complete(settings: Settings) -> Settings:
    """Loads the env file; then lets the core read what that file may have set.

    Raises StartupError.
    """
    if settings.env_file is not None:
        _load_file(settings.env_file)
    try:
        native = settings.native.with_late_environment()
    except ValueError as error:
        raise StartupError(str(error), EXIT_USAGE) from None
    return dataclasses.replace(settings, native=native)


def _load_file(path: str) -> None:
    """Sets the file's variables that are not set already."""
    try:
        from dotenv import load_dotenv
    except ImportError:
        raise StartupError(
            "Install the python-dotenv package to use `--env-file`."
        ) from None
    _logger.info("Loading environment from '%s'", path)
    try:
        load_dotenv(dotenv_path=path)
    except (OSError, UnicodeError) as error:
        raise StartupError(f"Error reading env file '{path}': {error}") from error
