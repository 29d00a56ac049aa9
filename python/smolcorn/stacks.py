"""Says what an event loop's thread is at, and where the requests wait. Called in another
thread, when somebody looks into the process."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterator
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
        place = place_of(task.get_coro())
        where = f" at {place}" if place else ""
        lines.append(f"request {number} of connection#{connection}{where}")
    if len(running) > REQUESTS_SHOWN_MAX:
        lines.append(f"and {len(running) - REQUESTS_SHOWN_MAX} requests more")
    return "".join(f"{line}\n" for line in lines)


def place_of(coroutine: object) -> str:
    """The innermost place that a coroutine has come to."""
    last = ""
    for frame in _frames(coroutine):
        name = frame.f_code.co_name
        last = f"{frame.f_code.co_filename}:{frame.f_lineno} in {name}"
    return last


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
