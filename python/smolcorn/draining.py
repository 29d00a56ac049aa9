"""The end of a server that accepts: how connections and requests are let to finish, and
what is done with those that do not.

When to stop, and the application's own shutdown, are the business of server.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from smolcorn import worker
from smolcorn.waiting import Waiter, from_now

if TYPE_CHECKING:
    from smolcorn._core import Engine
    from smolcorn.config import Settings

PATIENCE_SECONDS = 0.1
"""How long a shutdown goes on before it says what it waits for."""

CANCEL_SECONDS = 1.0
"""How long cancelled requests may take to end before their connections are cut."""

_logger = logging.getLogger("uvicorn.error")


class Drain:
    """Brings what an engine has under way to its end."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        waiter: Waiter,
        is_forced: Callable[[], bool],
    ) -> None:
        """`is_forced()` says that there is no time left."""
        self._engine = engine
        self._settings = settings
        self._waiter = waiter
        self._is_forced = is_forced

    async def take_leave(self) -> float:
        """Lets others know of the end while everything is still served. Returns when
        the time for what is under way has begun."""
        begin = from_now(0)
        if worker.leaves_alone():
            await self._hand_over()
        elif self._settings.drain_delay > 0:
            # Until whoever sends requests here has heard of the end.
            delay = self._settings.drain_delay
            _logger.info("Draining for %g s. (Press CTRL+C to stop now)", delay)
            self._engine.drain()
            await self._waiter.until(self._is_forced, from_now(delay))
            begin = from_now(0)
        return begin

    async def _hand_over(self) -> None:
        """Leaves new connections to other workers, and gives clients of idle ones time
        for one more request, whose answer tells them to go."""
        engine, settings = self._engine, self._settings
        engine.retire()
        seconds = worker.idle_patience_of(
            min(settings.timeout_keep_alive, settings.timeout_graceful_shutdown / 2)
        )
        await self._waiter.until(
            lambda: engine.connections == 0 or self._is_forced(), from_now(seconds)
        )

    async def finish(self, begin: float) -> None:
        """Lets connections and requests end; at half the time, tells streams to; when
        it is over, ends them. Nothing is accepted any more."""
        engine = self._engine
        loop = asyncio.get_running_loop()
        seconds = worker.patience_of(self._settings.timeout_graceful_shutdown)
        deadline = begin + seconds
        warning = loop.call_at(begin + seconds / 2, engine.disconnect_streams)
        try:
            if await self._until_none(
                # A listener ends with its last connection, and may be about to start
                # some: those that waited to be accepted.
                lambda: engine.listeners + engine.connections,
                "connections to close",
                deadline,
            ):
                await self._until_none(
                    lambda: engine.tasks, "background tasks to complete", deadline
                )
        finally:
            warning.cancel()
        if engine.connections or engine.tasks:
            await self._cut_off()

    async def _until_none(
        self, count: Callable[[], int], what: str, deadline: float
    ) -> bool:
        """Waits until `count()` is zero. False if the deadline or a second signal came
        first."""

        def over() -> bool:
            return count() == 0 or self._is_forced()

        if not await self._waiter.until(over, from_now(PATIENCE_SECONDS)):
            _logger.info("Waiting for %s. (CTRL+C to force quit)", what)
            await self._waiter.until(over, deadline)
        return count() == 0

    async def _cut_off(self) -> None:
        """Cancels the requests that are left; then cuts their connections."""
        engine = self._engine
        if self._is_forced():
            engine.cancel_tasks("Task cancelled, server was forced to quit")
        else:
            reason = "timeout graceful shutdown exceeded"
            _logger.error("Cancel %d running task(s), %s", engine.tasks, reason)
            engine.cancel_tasks(f"Task cancelled, {reason}")
        await self._waiter.until(
            lambda: not engine.connections and not engine.tasks,
            from_now(CANCEL_SECONDS),
        )
        if engine.connections or engine.tasks:
            engine.abort()
