"""Chooses the event loop, and runs a coroutine on it to the very end."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar, cast

from smolcorn import signals
from smolcorn.errors import EXIT_STARTUP, ConfigError
from smolcorn.importer import ImportFromStringError, import_from_string

LoopFactory: TypeAlias = Callable[[], asyncio.AbstractEventLoop]
T = TypeVar("T")

CANCEL_SECONDS = 1.0
"""How long tasks that are left over may take to end after they were cancelled."""


def loop_factory(name: str | LoopFactory) -> LoopFactory:
    """Returns what makes the loop called `name`: auto, asyncio, uvloop, none, or an
    import string of a callable without arguments. Such a callable is returned itself.

    Raises ConfigError if there is no such loop.
    """
    if not isinstance(name, str):
        return name
    if name == "auto":
        try:
            return _library_loop("uvloop")
        except ImportError:
            return _asyncio_loop
    if name == "asyncio":
        return _asyncio_loop
    if name == "none":
        return asyncio.new_event_loop
    if name == "uvloop":
        try:
            return _library_loop(name)
        except ImportError as error:
            raise ConfigError(
                f"Cannot use the event loop '{name}': {error}."
            ) from error
    return _custom_loop(name)


def refuse_inside_a_loop(call: str, instead: str) -> None:
    """Raises RuntimeError if an event loop runs in this thread, which `call` cannot wait
    beside; `instead` is what would be right. To be asked before a coroutine is made:
    nobody would await it.
    """
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    # nest_asyncio lets loops run inside of loops, which is its only purpose.
    if not hasattr(running, "_nest_patched"):
        raise RuntimeError(
            f"{call} cannot be called while an event loop runs: use '{instead}' there."
        )


def run(
    main: Callable[[], Coroutine[Any, Any, T]],
    factory: LoopFactory,
    in_a_hurry: Callable[[], bool],
) -> T:
    """Runs `main` on a new loop, then ends whatever is left on it.

    Waits for the threads of the loop's executor, too, unless `in_a_hurry` says no.
    """
    loop = factory()
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise ConfigError(
            f"The loop factory returned a '{type(loop).__name__}', not an event loop."
        )
    asyncio.set_event_loop(loop)
    try:
        with signals.waking(loop):
            try:
                return loop.run_until_complete(main())
            finally:
                _end_tasks(loop)
                loop.run_until_complete(loop.shutdown_asyncgens())
                if not in_a_hurry():
                    loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _asyncio_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.ProactorEventLoop()
    return asyncio.SelectorEventLoop()


def _library_loop(module: str) -> LoopFactory:
    return cast(LoopFactory, importlib.import_module(module).new_event_loop)


def _custom_loop(import_str: str) -> LoopFactory:
    try:
        factory = import_from_string(import_str)
    except ImportFromStringError as error:
        known = " The loops with a name are auto, asyncio, uvloop and none."
        raise ConfigError(
            "Error loading custom loop setup function. "
            f"{error}{known * (error.missing == 'format')}",
            EXIT_STARTUP,
        ) from error
    if not callable(factory):
        raise ConfigError(
            "Error loading custom loop setup function. "
            f'"{import_str}" is not callable.',
            EXIT_STARTUP,
        )
    return cast(LoopFactory, factory)


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what is still running. A task that refuses is left behind."""
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    done, _ = loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_SECONDS))
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception during shutdown",
                    "exception": error,
                    "task": task,
                }
            )
