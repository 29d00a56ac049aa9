"""Reads the env file, and the two variables that it may set."""

from __future__ import annotations

import dataclasses
import logging
import os

from smolcorn.config import Settings
from smolcorn.errors import EXIT_USAGE, StartupError

TRUSTED_PEERS = "127.0.0.1,::1"
"""Peers whose forwarded headers count, if nobody said."""

_logger = logging.getLogger("uvicorn.error")


def complete(settings: Settings) -> Settings:
    """Loads the env file and returns the settings with the environment's defaults.

    Raises StartupError.
    """
    if settings.env_file is not None:
        _load_file(settings.env_file)
    allow_ips = settings.forwarded_allow_ips
    if allow_ips is None:
        allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", TRUSTED_PEERS)
    workers = settings.workers
    if workers is None:
        workers = _web_concurrency()
    if workers > 1:
        raise StartupError("More than one worker is not available yet.", EXIT_USAGE)
    return dataclasses.replace(
        settings, forwarded_allow_ips=allow_ips, workers=max(workers, 1)
    )


def _web_concurrency() -> int:
    text = os.environ.get("WEB_CONCURRENCY", "1")
    try:
        return int(text)
    except ValueError:
        raise StartupError(
            f"Invalid value for WEB_CONCURRENCY: '{text}' is not a valid integer."
        ) from None


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
