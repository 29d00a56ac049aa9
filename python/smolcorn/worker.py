"""What is different in a process with a supervisor (`--workers`, `--reload`)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolcorn._core import Template, Worker

TICK_SECONDS = 1.0
"""How often the loop says that it runs."""

HURRIED_SECONDS = 1.0
"""How long requests may go on in a worker that has to make room for the next one."""

HURRIED_IDLE_SECONDS = 0.02
"""The same for connections on which nothing has been asked: what was sent before their
clients could know must have come."""

PROGRAM_VARIABLE = "_SMOLCORN_PROGRAM"
"""What the workers of a program need to be like it, as JSON."""

SUPERVISOR = os.path.join(os.path.dirname(__file__), "_bin", "smolcorn")
"""The program that is the parent of workers, in the wheel."""

_logger = logging.getLogger("uvicorn.error")

_current: Worker | None = None
_template: Template | None = None
_program: str | None = None
"""What PROGRAM_VARIABLE has said."""


def join() -> None:
    """Notes whether this process is a worker, or what workers are forked from."""
    from smolcorn import _core

    global _current, _template, _program
    _current, _template = _core.worker(), _core.template()
    _program = os.environ.pop(PROGRAM_VARIABLE, None)
    if _current is not None or _template is not None:
        # A terminal sends it to all processes; the supervisor decides what follows.
        signal.signal(signal.SIGINT, _ignore)


def current() -> Worker | None:
    """The worker that this process is; None where there is no supervisor."""
    return _current


def template() -> Template | None:
    """What workers are forked from, if it is this process (`--preload`)."""
    return _template


def is_importing() -> bool:
    """Whether whoever asks is run by a worker that looks for its application. A worker's
    main thread does nothing else before it serves."""
    is_ours = current() is not None or template() is not None
    return is_ours and threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def program_handed_on() -> Iterator[None]:
    """Workers that are started inside are like this process: see `enter_program`."""
    import json
    from multiprocessing import spawn

    data = spawn.get_preparation_data("smolcorn-worker")
    del data["authkey"]
    os.environ[PROGRAM_VARIABLE] = json.dumps(data, default=os.fspath)
    try:
        yield
    finally:
        os.environ.pop(PROGRAM_VARIABLE, None)


def enter_program() -> None:
    """If a program has started this worker: takes over its `sys.path` and `sys.argv`, and
    runs its main module under the name `__mp_main__`, as multiprocessing does and programs
    expect. Raises what that module raises."""
    is_ours = current() is not None or template() is not None
    if is_ours and _program is not None:
        import json
        from multiprocessing import spawn

        spawn.prepare(json.loads(_program))


def may_complain() -> bool:
    """Whether this process is to say why it cannot start. Of the workers of one
    supervisor that fail alike only one is."""
    process = current() or template()
    return process is None or process.may_complain()


def await_turn() -> None:
    """Returns when it is time to load the application.

    A worker that is started before its time loads meanwhile what every server needs.
    """
    worker = current()
    if worker is None or not worker.early:
        return
    with contextlib.suppress(ImportError):
        importlib.import_module("uvloop")
    worker.await_turn()
    # What is found in folders now must be looked up anew.
    importlib.invalidate_caches()


def report_failure(text: str) -> None:
    """Tells the supervisor, if there is one, why the application cannot start."""
    if (worker := current()) is not None:
        # Names of files may hold bytes that are no text, as lone surrogates.
        worker.failed(text.encode("utf-8", "replace").decode())


def patience_of(seconds: float) -> float:
    """How long requests may go on after the first signal: `seconds`, or less if the
    next worker waits for the end of this one."""
    return min(seconds, HURRIED_SECONDS) if _is_hurried() else seconds


def idle_patience_of(seconds: float) -> float:
    """The same for connections on which nothing has been asked."""
    return min(seconds, HURRIED_IDLE_SECONDS) if _is_hurried() else seconds


def _is_hurried() -> bool:
    worker = current()
    return worker is not None and worker.hurried


def leaves_alone() -> bool:
    """Whether this process is a worker that ends while the server goes on."""
    worker = current()
    if worker is None:
        return False
    worker.leaving()
    return not worker.stopping


@contextlib.contextmanager
def reporting(timeout_seconds: float) -> Iterator[None]:
    """Inside, the supervisor knows that this worker serves and that its loop runs."""
    worker = current()
    if worker is None:
        yield
        return
    loop = asyncio.get_running_loop()
    thread = threading.get_ident()
    period = min(TICK_SECONDS, timeout_seconds / 4)
    timer: asyncio.TimerHandle | None = None

    def tick() -> None:
        nonlocal timer
        worker.tick()
        timer = loop.call_later(period, tick)

    if timeout_seconds > 0:
        worker.watch_loop(
            timeout_seconds, lambda seconds: report_blocked(thread, seconds)
        )
        timer = loop.call_later(period, tick)
    worker.ready()
    try:
        yield
    finally:
        worker.unwatch_loop()
        if timer is not None:
            timer.cancel()


def report_blocked(thread: int, seconds: float) -> None:
    """Logs what the loop's thread is at. Runs in another thread."""
    frame = sys._current_frames().get(thread)
    stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
    _logger.warning(
        "The event loop has been blocked for %.1f s, and no request is served "
        "meanwhile. It is in:\n%s",
        seconds,
        stack.rstrip(),
    )


def interpreter() -> list[str]:
    """The command that runs this package in an interpreter like this one."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-m", "smolcorn"]


def become_supervisor(arguments: list[str]) -> None:
    """Becomes the program that is the parent of workers and needs no Python. Workers get
    these `arguments`, which have asked for them.

    Returns where there is no such program, as in a checkout, and where something else runs
    in this process that would be lost: a debugger, a profiler.
    """
    if len(sys._current_frames()) > 1 or _is_traced():
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # No file, or one that this system does not run.
    with contextlib.suppress(OSError):
        os.execv(SUPERVISOR, ["smolcorn", *interpreter(), *arguments])


def _is_traced() -> bool:
    """Whether somebody watches the code of this process."""
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and any(map(monitoring.get_tool, range(6)))


@contextlib.contextmanager
def signals_left_alone() -> Iterator[None]:
    """Inside, no signal means anything to Python: the supervisor catches them all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _ignore)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ignore(number: int, frame: FrameType | None) -> None:
    pass
