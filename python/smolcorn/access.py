"""Who writes the access log: the native core, or Python's logging.

The core writes lines itself, in batches, only while nobody could tell the difference.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from smolcorn.logging import (
    ACCESS_FORMAT,
    CALL_HANDLERS,
    EMIT,
    HANDLE,
    AccessFormatter,
)

_logger = logging.getLogger("uvicorn.access")


class NativePlan(NamedTuple):
    """How the core writes access lines."""

    fd: int
    """Descriptor of standard output."""
    use_colors: bool
    """Whether the formatter colours its lines."""
    flush: Callable[[], None]
    """Writes out what Python holds of the stream, so that lines keep their order."""


def native_plan() -> NativePlan | None:
    """Returns how to write access lines natively; None if Python's logging must.

    The answer can change whenever the application touches logging.
    """
    if sys.platform == "win32":
        # There are no descriptors that native code could write to.
        return None
    handler = _only_handler(_logger)
    if handler is None or handler.filters or handler.level > logging.INFO:
        return None
    stream = handler.stream
    if stream is not sys.stdout:
        return None
    formatter = handler.formatter
    if type(formatter) is not AccessFormatter or not _has_default_format(formatter):
        return None
    try:
        fd = stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return NativePlan(fd, formatter.use_colors, stream.flush)


def log_access(
    client_addr: str, method: str, full_path: str, http_version: str, status: int
) -> None:
    """Logs one response through Python's logging. Filters index these five args."""
    _logger.info(
        '%s - "%s %s HTTP/%s" %d', client_addr, method, full_path, http_version, status
    )


def _only_handler(logger: logging.Logger) -> logging.StreamHandler[Any] | None:
    """The logger's one plain stream handler, if a record would meet nothing else."""
    plain = (
        type(logger) is logging.Logger
        and logging.Logger.callHandlers is CALL_HANDLERS
        and logging.Logger.handle is HANDLE
        and logging.StreamHandler.emit is EMIT
        and logging.getLogRecordFactory() is logging.LogRecord
        and not logger.filters
        and not logger.propagate
        and not logger.disabled
        and logger.isEnabledFor(logging.INFO)
        and len(logger.handlers) == 1
    )
    if not plain:
        return None
    handler = logger.handlers[0]
    return handler if type(handler) is logging.StreamHandler else None


def _has_default_format(formatter: AccessFormatter) -> bool:
    return (
        formatter._fmt == ACCESS_FORMAT
        and type(formatter._style) is logging.PercentStyle
    )
