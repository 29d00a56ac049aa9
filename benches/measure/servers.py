"""The servers that are compared, and the command line that starts each.

All run in the interpreter that runs this, each as one worker process on uvloop, otherwise with
its defaults. A peer that has several modes stands here once for each: the best one counts.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from .loads import Load

#: The server that the others are compared with.
SUBJECT = "smolcorn"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    """A server in one of its modes."""

    #: Also its distribution's name.
    name: str
    command: Callable[[Load, int], list[str]]
    mode: str = ""


def installed_version(name: str) -> str:
    """Of a distribution in this environment."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def python_module(name: str, *options: str) -> Callable[[Load, int], list[str]]:
    """A server that is started by `python -m` and has uvicorn's names for common options."""

    def command(load: Load, port: int) -> list[str]:
        log = "--access-log" if load.access_log else "--no-access-log"
        address = ["--host", HOST, "--port", str(port)]
        return [sys.executable, "-m", name, *options, *address, log, load.app]

    return command


def granian(mode: str) -> Server:
    """With its multi-threaded (mt) or its single-threaded (st) runtime."""
    options = ("--interface", "asgi", "--loop", "uvloop", "--runtime-mode", mode)
    return Server("granian", python_module("granian", *options), mode)


SERVERS = (
    Server(SUBJECT, python_module("smolcorn", "--loop", "uvloop")),
    granian("mt"),
    granian("st"),
    Server(
        "uvicorn", python_module("uvicorn", "--loop", "uvloop", "--http", "httptools")
    ),
)
