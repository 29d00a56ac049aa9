"""`uvicorn.loops.uvloop`."""

from asyncio import AbstractEventLoop
from collections.abc import Callable

from smolcorn.loops import loop_factory


def uvloop_loop_factory(
    use_subprocess: bool = False,
) -> Callable[[], AbstractEventLoop]:
    """Returns what makes such a loop."""
    return loop_factory("uvloop")


def uvloop_loop_setup(use_subprocess: bool = False) -> None:
    """Does nothing: the server makes its loop. For programs of older uvicorn."""


__all__ = ["uvloop_loop_factory", "uvloop_loop_setup"]
