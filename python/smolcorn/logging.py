"""Formatters for the server's own lines and for the access log.

Tools read these lines, so their bytes are fixed. Names and constructor arguments are
uvicorn's, because logging configurations name them.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import sys
from typing import Literal, cast

TRACE_LOG_LEVEL = 5
"""Below DEBUG: one line for each ASGI message and each connection."""

DEFAULT_FORMAT = "%(levelprefix)s %(message)s"
"""Format of the server's own lines."""

ACCESS_FORMAT = '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s'
"""Format of access lines."""

# Instrumentation replaces these to see every record. Kept here, because this module is
# imported before the application.
CALL_HANDLERS = logging.Logger.callHandlers
HANDLE = logging.Logger.handle
EMIT = logging.StreamHandler.emit

_PREFIX_COLUMNS = 8
_BOLD = 1
_LEVEL_COLOURS = {
    TRACE_LOG_LEVEL: 34,
    logging.DEBUG: 36,
    logging.INFO: 32,
    logging.WARNING: 33,
    logging.ERROR: 31,
    logging.CRITICAL: 91,
}
_STATUS_CLASS_COLOURS = {1: 97, 2: 32, 3: 33, 4: 31, 5: 91}


def shows_colours() -> bool:
    """Whether lines are coloured when nobody has said: as NO_COLOR or FORCE_COLOR ask
    for, and else if standard output is a terminal, whatever stream a handler has."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    # A process may have no standard output at all.
    return sys.stdout is not None and sys.stdout.isatty()


@functools.cache
def reason_phrases() -> dict[int, str]:
    """Those that Python knows, which differ a little between its versions."""
    # Most servers need them never: the core writes their access lines.
    import http

    return {status.value: status.phrase for status in http.HTTPStatus}


def style(text: str, code: int | None) -> str:
    """Returns `text` in the ANSI style `code`; as it is if there is none."""
    return text if code is None else f"\x1b[{code}m{text}\x1b[0m"


def bold(text: str) -> str:
    """Returns `text` in bold type."""
    return style(text, _BOLD)


def cyan(text: str) -> str:
    """Returns `text` in cyan."""
    return style(text, 36)


class ColourizedFormatter(logging.Formatter):
    """Adds `levelprefix`, the level name with a colon in a column of its own.

    With colours, a record's `color_message` attribute replaces its message.
    """

    use_colors: bool

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        use_colors: bool | None = None,
    ) -> None:
        self.use_colors = shows_colours() if use_colors is None else use_colors
        super().__init__(fmt=fmt, datefmt=datefmt, style=style)

    def color_level_name(self, level_name: str, level_no: int) -> str:
        """Returns the level's name in the level's colour."""
        return style(level_name, _LEVEL_COLOURS.get(level_no))

    def should_use_colors(self) -> bool:
        """For subclasses: whether their output can show colours."""
        return True

    def formatMessage(self, record: logging.LogRecord) -> str:
        shown = copy.copy(record)
        level_name = shown.levelname
        padding = " " * (_PREFIX_COLUMNS - len(level_name))
        if self.use_colors:
            level_name = self.color_level_name(level_name, shown.levelno)
            if "color_message" in shown.__dict__:
                shown.msg = shown.__dict__["color_message"]
                shown.message = shown.getMessage()
        shown.__dict__["levelprefix"] = f"{level_name}:{padding}"
        return super().formatMessage(shown)


class DefaultFormatter(ColourizedFormatter):
    """For the server's own lines."""

    def should_use_colors(self) -> bool:
        return sys.stderr.isatty()


class AccessFormatter(ColourizedFormatter):
    """For access lines: adds `client_addr`, `request_line` and `status_code`.

    The record's args are `(client_addr, method, full_path, http_version, status)`.
    """

    def get_status_code(self, status_code: int) -> str:
        """Returns the status with its phrase, in the colour of its class."""
        text = f"{status_code} {reason_phrases().get(status_code, '')}"
        if not self.use_colors:
            return text
        return style(text, _STATUS_CLASS_COLOURS.get(status_code // 100))

    def formatMessage(self, record: logging.LogRecord) -> str:
        shown = copy.copy(record)
        args = cast("tuple[str, str, str, str, int]", shown.args)
        client_addr, method, full_path, http_version, status = args
        request_line = f"{method} {full_path} HTTP/{http_version}"
        if self.use_colors:
            request_line = bold(request_line)
        shown.__dict__.update(
            client_addr=client_addr,
            request_line=request_line,
            status_code=self.get_status_code(int(status)),
        )
        return super().formatMessage(shown)
