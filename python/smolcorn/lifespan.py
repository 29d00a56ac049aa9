"""The lifespan protocol (ASGI, sub-specification 2.0): start-up and shutdown of the
application, in a task of its own beside those of the requests.

    WAITING --startup.complete--> RUNNING --shutdown()--> STOPPING --+--> DONE
       |                             |                               |
       +--raised, startup.failed-----+--raised-----------------------+
"""

from __future__ import annotations

import asyncio
import enum
import logging
import traceback
from typing import TYPE_CHECKING, Any

from smolcorn import worker
from smolcorn.config import LifespanMode
from smolcorn.interfaces import Application

if TYPE_CHECKING:
    from smolcorn.server_config import ServerConfig
    from smolcorn.types import Message

_ANSWERS = {
    "lifespan.startup.complete",
    "lifespan.startup.failed",
    "lifespan.shutdown.complete",
    "lifespan.shutdown.failed",
}

_logger = logging.getLogger("uvicorn.error")


class Phase(enum.Enum):
    """How far the application has come."""

    WAITING = enum.auto()
    """It has not answered lifespan.startup yet."""
    RUNNING = enum.auto()
    """It has started, or does not take part in the protocol but may be served."""
    STOPPING = enum.auto()
    """It has been told to shut down and has not answered yet."""
    DONE = enum.auto()
    """Nothing more is expected of it."""


class Lifespan:
    """Tells one application of start-up and shutdown."""

    def __init__(self, application: Application, mode: LifespanMode) -> None:
        self.state: dict[str, Any] = {}
        """What the application keeps for its requests; each gets a copy."""
        self.startup_failed = False
        self.shutdown_failed = False
        self.interrupted = False
        """Start-up was given up because nobody wants to wait for it."""
        self.abandoned = False
        """Nobody waits for it: the loop's end may cancel it at any time."""
        self._application = application
        self._mode = mode
        self._phase = Phase.WAITING
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._settled = asyncio.Event()
        """The application has answered what it was told last, or cannot any more."""
        self._task: asyncio.Task[None] | None = None
        self.failure = ""
        """Why start-up has failed, as far as the application said so."""
        self.error: BaseException | None = None
        """What the application raised as it failed to start."""
        self._raised = False
        self._was_told = False
        self._spoke_otherwise = False
        self._cancelled = False

    async def startup(self) -> None:
        """Starts the application; returns when it has started, or `startup_failed`."""
        if self._mode == "off":
            return
        _logger.info("Waiting for application startup.")
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._settled.wait()
        if self.startup_failed:
            _logger.error("Application startup failed. Exiting.")

    async def shutdown(self) -> None:
        """Tells the application to shut down, and returns when it has."""
        if self._task is None or self._raised:
            return
        if self.startup_failed or self.interrupted:
            return
        _logger.info("Waiting for application shutdown.")
        if self._phase is Phase.RUNNING and not self._task.done():
            self._phase = Phase.STOPPING
            self._settled.clear()
            self._events.put_nowait({"type": "lifespan.shutdown"})
            await self._settled.wait()
        if self.shutdown_failed:
            _logger.error("Application shutdown failed. Exiting.")
        else:
            _logger.info("Application shutdown complete.")

    async def interrupt(self) -> None:
        """Cancels start-up and waits for its end, however long that takes.

        An application that starts none the less is not `interrupted`.
        """
        if self._task is None:
            return
        self.interrupted = True
        self.cancel()
        await self._settled.wait()
        if self._phase is Phase.RUNNING:
            self.interrupted = self._cancelled = False
        else:
            await asyncio.wait({self._task})

    @property
    def should_exit(self) -> bool:
        """Whether the application has failed to start. Programs look at it."""
        return self.startup_failed

    def cancel(self) -> None:
        """Cancels the application's task, whatever it is at."""
        if self._task is not None:
            self._cancelled = True
            self._task.cancel()

    async def abandon(self) -> None:
        """Cancels the application's task and waits for its end."""
        self.cancel()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def receive(self) -> Message:
        """The application's `receive`."""
        self._was_told = True
        return await self._events.get()

    async def send(self, message: Message) -> None:
        """The application's `send`. Raises AssertionError for what is not expected."""
        kind = message["type"]
        if kind not in _ANSWERS:
            self._spoke_otherwise = True
            raise AssertionError(
                f"Expected a message of the lifespan protocol, but got '{kind}'."
            )
        about_startup = kind.startswith("lifespan.startup.")
        in_time = self._phase is Phase.WAITING if about_startup else self._may_stop()
        if not in_time:
            raise AssertionError("Got invalid state transition on lifespan protocol.")
        failed = kind.endswith(".failed")
        if failed and not self._cancelled and (text := message.get("message")):
            _logger.error("%s", text)
            self.failure = str(text)
        if about_startup:
            self._startup_answered(failed)
        else:
            self.shutdown_failed = failed
            self._phase = Phase.DONE
        self._settled.set()

    def _may_stop(self) -> bool:
        return self._phase in (Phase.RUNNING, Phase.STOPPING)

    def _startup_answered(self, failed: bool) -> None:
        self.startup_failed = failed
        self._phase = Phase.DONE if failed else Phase.RUNNING
        if not failed:
            # Logged here, so that what the application does next is logged after it.
            _logger.info("Application startup complete.")

    async def _run(self) -> None:
        """The application's task."""
        version = "2.0" if self._application.interface == "asgi2" else "3.0"
        scope = {
            "type": "lifespan",
            "asgi": {"version": version, "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._application.call(scope, self.receive, self.send)
        except BaseException as error:
            # Even SystemExit and KeyboardInterrupt: raised in a task, they would break
            # the loop and leave connections behind.
            self._app_raised(error)
        else:
            if self._phase is Phase.WAITING and not self._cancelled:
                self._startup_answered(failed=False)
        finally:
            self._settled.set()

    def _app_raised(self, error: BaseException) -> None:
        self._raised = True
        expected = self._cancelled or self.abandoned or self._phase is Phase.DONE
        if expected and isinstance(error, asyncio.CancelledError):
            return
        if self.startup_failed or self.shutdown_failed:
            if self.startup_failed:
                # It has said so, and raises why.
                self.error = error
            return
        if self._is_unsupported():
            _logger.info("ASGI 'lifespan' protocol appears unsupported.")
            _logger.debug("The application raised\n", exc_info=error)
            self._startup_answered(failed=False)
            return
        if self._phase is not Phase.WAITING or worker.may_complain():
            _logger.error("Exception in 'lifespan' protocol\n", exc_info=error)
        if self._phase is Phase.WAITING:
            self.error = error
            self.failure = "".join(traceback.format_exception(error))
            self.startup_failed = True
        elif self._phase is Phase.STOPPING:
            self.shutdown_failed = True

    def _is_unsupported(self) -> bool:
        """True if the application does not know the scope type.

        Such an application raises before it asks for a message, or answers with one of
        another protocol. Anything later is an error in its start-up.
        """
        return (
            self._mode == "auto"
            and self._phase is Phase.WAITING
            and not self._cancelled
            and (not self._was_told or self._spoke_otherwise)
        )


class LifespanOn(Lifespan):
    """That of a configuration, which it loads if nobody has."""

    def __init__(self, config: ServerConfig) -> None:
        if not config.loaded:
            config.load()
        super().__init__(config.application, config.lifespan)


class LifespanOff(LifespanOn):
    """The same where the application is told nothing."""

    def __init__(self, config: ServerConfig) -> None:
        super().__init__(config)
        self._mode = "off"
