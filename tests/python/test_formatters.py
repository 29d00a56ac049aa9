"""The bytes of log lines."""

from __future__ import annotations

import logging
import sys

import pytest

from smolcorn.logging import (
    ACCESS_FORMAT,
    DEFAULT_FORMAT,
    AccessFormatter,
    ColourizedFormatter,
    DefaultFormatter,
)


def record(level: int, msg: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("uvicorn", level, "f.py", 1, msg, args, None)


def access(status: int, path: str = "/x?y") -> logging.LogRecord:
    return record(
        20, '%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", path, "1.1", status
    )


@pytest.mark.parametrize(
    ("level", "plain", "coloured"),
    [
        (10, "DEBUG:    hi 7", "\x1b[36mDEBUG\x1b[0m:    hi 7"),
        (20, "INFO:     hi 7", "\x1b[32mINFO\x1b[0m:     hi 7"),
        (30, "WARNING:  hi 7", "\x1b[33mWARNING\x1b[0m:  hi 7"),
        (40, "ERROR:    hi 7", "\x1b[31mERROR\x1b[0m:    hi 7"),
        (50, "CRITICAL: hi 7", "\x1b[91mCRITICAL\x1b[0m: hi 7"),
        (25, "Level 25: hi 7", "Level 25: hi 7"),
    ],
)
def test_server_lines(level: int, plain: str, coloured: str) -> None:
    line = record(level, "hi %d", 7)
    assert DefaultFormatter(DEFAULT_FORMAT, use_colors=False).format(line) == plain
    assert DefaultFormatter(DEFAULT_FORMAT, use_colors=True).format(line) == coloured


def test_trace_level() -> None:
    logging.addLevelName(5, "TRACE")
    formatter = DefaultFormatter(DEFAULT_FORMAT, use_colors=True)
    assert formatter.format(record(5, "x")) == "\x1b[34mTRACE\x1b[0m:    x"


def test_color_message_replaces_the_message_only_with_colours() -> None:
    line = record(20, "process [%d]", 12)
    line.color_message = "process [\x1b[36m%d\x1b[0m]"
    plain = DefaultFormatter(DEFAULT_FORMAT, use_colors=False)
    coloured = DefaultFormatter(DEFAULT_FORMAT, use_colors=True)
    assert plain.format(line) == "INFO:     process [12]"
    assert coloured.format(line) == (
        "\x1b[32mINFO\x1b[0m:     process [\x1b[36m12\x1b[0m]"
    )
    assert line.msg == "process [%d]"


@pytest.mark.parametrize(
    ("status", "shown", "colour"),
    [
        (101, "101 Switching Protocols", 97),
        (200, "200 OK", 32),
        (299, "299 ", 32),
        (304, "304 Not Modified", 33),
        (404, "404 Not Found", 31),
        (500, "500 Internal Server Error", 91),
    ],
)
def test_access_lines(status: int, shown: str, colour: int) -> None:
    plain = AccessFormatter(ACCESS_FORMAT, use_colors=False)
    coloured = AccessFormatter(ACCESS_FORMAT, use_colors=True)
    assert plain.format(access(status)) == (
        f'INFO:     1.2.3.4:5 - "GET /x?y HTTP/1.1" {shown}'
    )
    assert coloured.format(access(status)) == (
        '\x1b[32mINFO\x1b[0m:     1.2.3.4:5 - "\x1b[1mGET /x?y HTTP/1.1\x1b[0m" '
        f"\x1b[{colour}m{shown}\x1b[0m"
    )


def test_an_access_line_of_a_unix_socket_has_no_address() -> None:
    line = record(20, '%s - "%s %s HTTP/%s" %d', "", "GET", "/", "1.1", 200)
    formatter = AccessFormatter(ACCESS_FORMAT, use_colors=False)
    assert formatter.format(line) == 'INFO:      - "GET / HTTP/1.1" 200 OK'


def test_other_formats_and_styles() -> None:
    formatter = AccessFormatter("{client_addr} {status_code}", style="{")
    assert formatter.format(access(200)) == "1.2.3.4:5 200 OK"
    dated = DefaultFormatter("%(asctime)s %(message)s", "%%", use_colors=False)
    assert dated.format(record(20, "x")) == "% x"


@pytest.mark.parametrize("tty", [True, False])
def test_colours_follow_standard_output(
    tty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    assert DefaultFormatter(DEFAULT_FORMAT).use_colors is tty
    assert ColourizedFormatter().use_colors is tty
    assert AccessFormatter(use_colors=not tty).use_colors is not tty


@pytest.mark.parametrize("tty", [True, False])
def test_variables_say_whether_there_are_colours(
    tty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert DefaultFormatter(DEFAULT_FORMAT).use_colors
    monkeypatch.setenv("NO_COLOR", "1")
    assert not DefaultFormatter(DEFAULT_FORMAT).use_colors
    assert DefaultFormatter(DEFAULT_FORMAT, use_colors=True).use_colors


def test_no_standard_output_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", None)
    assert not DefaultFormatter(DEFAULT_FORMAT).use_colors


def test_subclasses_choose_the_colour_of_a_level() -> None:
    class Mine(DefaultFormatter):
        def color_level_name(self, level_name: str, level_no: int) -> str:
            return f"<{level_name}>"

    formatter = Mine(DEFAULT_FORMAT, use_colors=True)
    assert formatter.format(record(20, "x")) == "<INFO>:     x"
