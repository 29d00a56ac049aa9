"""`uvicorn.loops.auto`."""

from asyncio import AbstractEventLoop
from collections.abc import Callable

from smolcorn.loops import loop_factory


def auto_loop_factory(use_subprocess: bool = False) -> Callable[[], AbstractEventLoop]:
    """Returns what makes such a loop."""
    return loop_factory("auto")


def auto_loop_setup(use_subprocess: bool = False) -> None:
    """Does nothing: the server makes its loop. For programs of older uvicorn."""


__all__ = ["auto_loop_factory", "auto_loop_setup"]
