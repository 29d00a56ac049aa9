"""Replaces a method of all loggers when it is imported, as tools do that watch a program."""

import logging

from apps.asgi import report_as
from apps.logged import app as app

_call_handlers = logging.Logger.callHandlers


def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
    """Reports the paths of access lines."""
    if self.name == "uvicorn.access":
        assert isinstance(record.args, tuple)
        report_as("seen", record.args[2])
    _call_handlers(self, record)


logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]
