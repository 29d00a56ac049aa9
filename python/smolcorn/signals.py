"""Catches the signals that ask a server to stop, and hands them on afterwards.

Only `signal.signal` is used, because loops differ in what they offer and on Windows
there is nothing else. Handlers run in the main thread between two bytecodes; so a loop
that waits must be woken by every signal.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
import threading
from asyncio import AbstractEventLoop
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
    if not _in_main_thread():
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
def waking(loop: AbstractEventLoop) -> Iterator[None]:
    """Lets every signal wake `loop`, unless it sees to that itself.

    A signal interrupts the loop's wait only if it comes during the wait, and to the main
    thread. The handler of one that comes a moment before would run at the next event.
    """
    if not _in_main_thread() or _change_wakeup(-1, only_if=-1) != -1:
        yield
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        try:
            loop.add_reader(ours, _drop_bytes, ours)
        except NotImplementedError:
            yield
            return
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            _change_wakeup(-1, only_if=theirs.fileno())
            loop.remove_reader(ours)


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


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _change_wakeup(descriptor: int, only_if: int) -> int:
    """Sets what signals are written to, if that is `only_if` now; returns what it was."""
    # Python tells what it is only when it is set.
    was = signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    if was != only_if:
        signal.set_wakeup_fd(was, warn_on_full_buffer=False)
    return was


def _drop_bytes(stream: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        stream.recv(4096)


def _flush() -> None:
    """Writes out what Python holds. The signal ends the process without doing so."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
