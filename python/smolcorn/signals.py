"""Catches the signals that ask a server to stop, and hands them on afterwards.

Only `signal.signal` is used, because loops differ in what they offer and on Windows
there is nothing else. Handlers run in the main thread between two bytecodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TypeAlias

Handler: TypeAlias = Callable[[int, FrameType | None], None]

STOP_SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
"""Signals that stop the server; everything else keeps its meaning."""
if sys.platform == "win32":
    STOP_SIGNALS += (signal.SIGBREAK,)


@contextlib.contextmanager
def installed(handler: Handler) -> Iterator[None]:
    """Has `handler` called for the stop signals; then restores the old handlers.

    Outside the main thread it does nothing, for there Python allows nothing else.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, old in previous.items():
            # None: a handler that Python does not know, and so cannot restore.
            signal.signal(number, signal.SIG_DFL if old is None else old)


@contextlib.contextmanager
def waking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Has every signal wake `loop`, if nobody has seen to that yet.

    A signal that comes just before the loop goes to sleep, or in another thread,
    interrupts nothing, and its handler would wait until something else wakes the loop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        if before != -1 or not _watch(loop, ours):
            signal.set_wakeup_fd(before)
            yield
            return
        try:
            yield
        finally:
            now = signal.set_wakeup_fd(-1)
            if now != theirs.fileno():
                # Somebody has put another one in place of ours.
                signal.set_wakeup_fd(now)
            loop.remove_reader(ours)


def _watch(loop: asyncio.AbstractEventLoop, ours: socket.socket) -> bool:
    """Empties the socket whenever bytes come; False if the loop cannot watch it."""

    def empty() -> None:
        with contextlib.suppress(BlockingIOError):
            ours.recv(4096)

    try:
        loop.add_reader(ours, empty)
    except NotImplementedError:
        return False
    return True


def is_free(name: str) -> bool:
    """Whether the system has this signal, and nobody in this process has a use for it."""
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        return False
    return signal.getsignal(number) is signal.SIG_DFL


def raise_again(numbers: Iterable[int]) -> None:
    """Delivers the signals to the handlers that are installed now.

    SIGINT without a handler becomes KeyboardInterrupt, as everywhere in Python; it comes
    last, so that it keeps no other signal from being delivered.
    """
    interrupted = False
    for number in numbers:
        default = signal.getsignal(number) is signal.SIG_DFL
        if default and number == signal.SIGINT:
            interrupted = True
            continue
        if default:
            _flush()
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt


def die_of(number: int) -> None:
    """Ends the process at once, as the signal does by default."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _flush() -> None:
    """Writes out what Python holds. The signal ends the process without doing so."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
