"""How the life of a server waits: until a condition holds, or time is over.

Nothing polls. Whoever changes what a condition depends on says so, by `changed()` on
the loop's thread or `wake()` from anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine
from typing import Any


class Waiter:
    """What a server's coroutines wait on."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        """Something happened that a condition may depend on."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def use(self, loop: asyncio.AbstractEventLoop) -> None:
        """Says which loop `wake()` is to wake. Before that nobody waits."""
        self._loop = loop

    def changed(self) -> None:
        """Has conditions looked at again. On the loop's thread."""
        self._changed.set()

    def wake(self) -> None:
        """The same, from a signal handler or another thread."""
        # The loop may be gone already.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._changed.set)

    async def until(
        self, condition: Callable[[], bool], deadline: float = math.inf
    ) -> bool:
        """Waits until `condition()` holds; False if the deadline, by the loop's time,
        came first."""
        # The timer alone says when it is over: loops round its time differently.
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            self._changed.set()

        timer = None
        if deadline < math.inf:
            timer = asyncio.get_running_loop().call_at(deadline, expire)
        try:
            while not condition():
                if expired:
                    return False
                self._changed.clear()
                await self._changed.wait()
            return True
        finally:
            if timer is not None:
                timer.cancel()

    async def finish(
        self,
        work: Coroutine[Any, Any, None],
        unless: Callable[[], bool] = lambda: False,
        deadline: float = math.inf,
    ) -> bool:
        """Runs `work` to its end; False if `unless` held or time was over before."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda _: self._changed.set())
        try:
            await self.until(lambda: task.done() or unless(), deadline)
            if not task.done():
                return False
            task.result()
            return True
        finally:
            task.cancel()


def from_now(seconds: float) -> float:
    """The running loop's time in so many seconds."""
    return asyncio.get_running_loop().time() + seconds
