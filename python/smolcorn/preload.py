"""The template of `--preload`: imports the application, and forks workers from itself.

Until it forks, nothing here starts a thread, a loop or a connection: a forked process
has only the thread that forked it, and would share the rest with all others.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from smolcorn import worker

if TYPE_CHECKING:
    from smolcorn._core import Template
    from smolcorn.server_config import ServerConfig

_logger = logging.getLogger("uvicorn.error")


def fork_workers(config: ServerConfig) -> None:
    """Imports the application and forks workers: this process is the template. Returns
    in each of them, and nowhere else.

    Raises what `Config.load()` raises.
    """
    template = worker.template()
    assert template is not None
    with _uncollected():
        config.load()
        # What a worker needs beside the application.
        config.get_loop_factory()
        importlib.import_module("asyncio")
        _warn_of_threads()
        # Objects that the collector never looks at stay in memory that is shared.
        gc.freeze()
        template.loaded()
        _serve(template)
    template.become_worker()
    worker.join()


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Inside, the collector frees nothing: what it frees here leaves holes in memory
    that all workers would fill, each with a copy of its own. A threshold that the
    application sets counts."""
    thresholds = gc.get_threshold()
    gc.set_threshold(0)
    yield
    if gc.get_threshold()[0] == 0:
        gc.set_threshold(*thresholds)


def _serve(template: Template) -> None:
    """Forks when told to. Returns in a worker."""
    children: set[int] = set()
    may_fork = True
    # This one keeps no descriptor that the workers would share.
    poll = select.poll()
    with _child_signals() as bell:
        poll.register(template.fileno(), select.POLLIN)
        poll.register(bell.fileno(), select.POLLIN)
        while may_fork or children:
            for pid in tuple(children):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    children.remove(pid)
                    template.ended(pid, status)
            if not may_fork and not children:
                break
            readable = {descriptor for descriptor, _ in poll.poll()}
            if bell.fileno() in readable:
                bell.recv(4096)
            if template.fileno() not in readable:
                continue
            order = template.order()
            if order == "end":
                break
            if order == "retire":
                may_fork = False
                continue
            child = _fork(template)
            if child == 0:
                return
            if child is not None:
                children.add(child)
    # Nothing was begun here that would have to be ended.
    _flush()
    os._exit(0)


def _fork(template: Template) -> int | None:
    """Forks, and answers the supervisor. 0 in the worker; None if that failed."""
    # What waits in a buffer would be written by both.
    _flush()
    try:
        pid = os.fork()
    except OSError as error:
        template.not_forked(error.errno or 0)
        return None
    if pid:
        template.forked(pid)
    return pid


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


@contextlib.contextmanager
def _child_signals() -> Iterator[socket.socket]:
    """Inside, the socket is readable when a child has ended."""
    bell, ringer = socket.socketpair()
    with bell, ringer:
        bell.setblocking(False)
        ringer.setblocking(False)
        number = signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
        handler = signal.signal(signal.SIGCHLD, _ignore)
        try:
            yield bell
        finally:
            signal.set_wakeup_fd(number)
            # None: a handler that Python does not know, and so cannot restore.
            signal.signal(
                signal.SIGCHLD, signal.SIG_DFL if handler is None else handler
            )


def _warn_of_threads() -> None:
    """Tells of threads that the application has started, and no worker will have."""
    here = threading.current_thread()
    names = [thread.name for thread in threading.enumerate() if thread is not here]
    if names:
        _logger.warning(
            "The application has started threads while it was imported, which no worker "
            "has: %s. Start them in the lifespan's start-up.",
            ", ".join(names),
        )


def _ignore(number: int, frame: FrameType | None) -> None:
    pass
