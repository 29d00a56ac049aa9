"""`uvicorn.loops.asyncio`."""

from asyncio import AbstractEventLoop
from collections.abc import Callable

from smolcorn.loops import loop_factory


def asyncio_loop_factory(
    use_subprocess: bool = False,
) -> Callable[[], AbstractEventLoop]:
    """Returns what makes such a loop."""
    return loop_factory("asyncio")


def asyncio_loop_setup(use_subprocess: bool = False) -> None:
    """Does nothing: the server makes its loop. For programs of older uvicorn."""


__all__ = ["asyncio_loop_factory", "asyncio_loop_setup"]
