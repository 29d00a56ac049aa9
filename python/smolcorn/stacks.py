"""Says what an event loop's thread is at, and where the requests wait. Called in another
thread, when somebody looks into the process."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
import threading
import traceback
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from types import FrameType
from typing import Any

REQUESTS_SHOWN_MAX = 50

AWAITS_MAX = 100
"""How deep it looks into what awaits what."""

_LOOPS = {
    ("asyncio", "base_events.py"),
    ("asyncio", "runners.py"),
    ("asyncio", "selector_events.py"),
    ("asyncio", "unix_events.py"),
    ("asyncio", "windows_events.py"),
    ("smolcorn", "loops.py"),
}
"""Files whose code waits for events: that is no work."""


_STANDARD_LIBRARY = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))

_PACKAGE = str(PurePath(__file__).parent)


def describe(thread: int, running: list[tuple[int, int, asyncio.Task[Any]]]) -> str:
    """`running`: connection, number and task of each request in flight."""
    lines = []
    frame = sys._current_frames().get(thread)
    if frame is not None and not _waits_for_events(frame):
        lines.append(
            "The event loop's thread is at (the last line is where it is now):"
        )
        for entry in traceback.format_stack(frame):
            lines.extend(entry.rstrip().splitlines())
    for connection, number, task in running[:REQUESTS_SHOWN_MAX]:
        frames = list(_frames(task.get_coro()))
        name = f"request {number} of connection#{connection}"
        lines.append(f"{name}{_asked(frames)}{_place(frames)}")
    if len(running) > REQUESTS_SHOWN_MAX:
        lines.append(f"and {len(running) - REQUESTS_SHOWN_MAX} requests more")
    return "".join(f"{line}\n" for line in lines)


def describe_threads() -> str:
    """The requests that threads of a WSGI application are at."""
    lines = []
    stacks = sys._current_frames()
    for thread in threading.enumerate():
        frames = [*_stack(stacks.get(thread.ident or 0))]
        if any(_calls_wsgi(frame) for frame in frames):
            lines.append(f"thread {thread.name}{_asked(frames)}{_place(frames)}\n")
    return "".join(lines)


def _place(frames: list[FrameType]) -> str:
    """The innermost place of the application's own, if there is one: frameworks and the
    standard library wait at the same few places for everybody."""
    own = [frame for frame in frames if not _is_installed(frame.f_code.co_filename)]
    for frame in (own or frames)[-1:]:
        code = frame.f_code
        return f" at {code.co_filename}:{frame.f_lineno} in {code.co_name}"
    return ""


def _asked(frames: Iterable[FrameType]) -> str:
    """What was asked for, out of what the application was called with."""
    for frame in frames:
        scope, environ = frame.f_locals.get("scope"), frame.f_locals.get("environ")
        if isinstance(scope, dict) and "path" in scope:
            return f", {scope.get('method', scope.get('type'))} {scope['path']},"
        if isinstance(environ, dict) and "PATH_INFO" in environ:
            return f", {environ.get('REQUEST_METHOD')} {environ['PATH_INFO']},"
    return ""


def _is_installed(filename: str) -> bool:
    parts = PurePath(filename).parts
    return (
        filename.startswith((*_STANDARD_LIBRARY, _PACKAGE))
        or filename.startswith("<frozen ")
        or "site-packages" in parts
        or "dist-packages" in parts
    )


def _calls_wsgi(frame: FrameType) -> bool:
    path = PurePath(frame.f_code.co_filename)
    called = (path.parent.name, path.name, frame.f_code.co_name)
    return called == ("smolcorn", "wsgi.py", "_serve")


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    """From the outermost frame in."""
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return reversed(frames)


def _frames(awaited: object) -> Iterator[FrameType]:
    for _ in range(AWAITS_MAX):
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if isinstance(frame, FrameType):
                yield frame
                inner = "yieldfrom" if kind == "gi" else "await"
                awaited = getattr(awaited, f"{kind}_{inner}", None)
                break
        else:
            return


def _waits_for_events(frame: FrameType) -> bool:
    path = PurePath(frame.f_code.co_filename)
    return path.name == "selectors.py" or (path.parent.name, path.name) in _LOOPS
