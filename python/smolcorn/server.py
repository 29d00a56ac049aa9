"""The life of a server: start the application, bind, serve, drain, stop.

What it has while it serves is in serving.py; how requests are let to finish, in
draining.py. Everything that happens for each connection or request is in the native
core.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from smolcorn import certificates, draining, loops, signals, worker
from smolcorn.errors import EXIT_STARTUP, BindError, ConfigError, LifespanError
from smolcorn.listeners import Listener, ServerState
from smolcorn.logging import cyan
from smolcorn.serving import Serving
from smolcorn.waiting import Waiter, from_now

if TYPE_CHECKING:
    from types import TracebackType

    from smolcorn._core import Engine, PidFile
    from smolcorn.config import Settings
    from smolcorn.lifespan import Lifespan
    from smolcorn.server_config import ServerConfig

TICK_SECONDS = 0.1
"""Between two calls of `on_tick()`, where somebody wants them."""

_ONCE = "A Server serves once: make another."

_logger = logging.getLogger("uvicorn.error")


class Server:
    """Serves one application once."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.started = False
        """Connections are, or were, accepted."""
        self.servers: list[Listener] = []
        """The listening sockets, once it has started."""
        self.server_state = ServerState()
        self.lifespan: Lifespan | None = None
        """The application's own start-up and shutdown, once that has begun."""
        self.last_notified = 0.0
        """When `callback_notify` was called last; seconds of the clock."""
        self.owns_process = False
        """Whether nothing else is done in this process."""
        self._should_exit = False
        self._force_exit = False
        self._captured: list[int] = []
        self._capturing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter = Waiter()
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when it has started, or cannot any more."""
        self._task: asyncio.Task[None] | None = None
        """Serves, if the server is used as a context manager."""
        self._is_used = False
        self._lifespan_to_stop: Lifespan | None = None
        self._is_abandoned = False
        self._settings: Settings | None = None
        """What it serves by, once the application is loaded."""
        self._pid_file: PidFile | None = None
        self._serving: Serving | None = None
        """There as soon as the application has started."""

    @property
    def should_exit(self) -> bool:
        """Whether the server has been told to stop. May be set from any thread."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        self._waiter.wake()

    @property
    def force_exit(self) -> bool:
        """Whether it must stop at once. May be set from any thread."""
        return self._force_exit

    @force_exit.setter
    def force_exit(self, value: bool) -> None:
        self._force_exit = value
        self._waiter.wake()

    @functools.cached_property
    def limit_max_requests(self) -> int | None:
        """Completed requests after which it ends, with the jitter; None: no limit."""
        settings = self._settings or self.config.settings()
        limit = settings.limit_max_requests
        if limit is None:
            return None
        import random

        return limit + random.randint(0, settings.limit_max_requests_jitter)

    @property
    def urls(self) -> list[str]:
        """Where clients on this machine reach it: `http://127.0.0.1:8000`; for a Unix
        socket `http+unix://` and its path, percent-encoded. Empty before it has
        started and after it has stopped."""
        scheme = "https" if self.config.is_ssl else "http"
        return [url for server in self.servers for url in server.urls(scheme)]

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves on an event loop of its own, in any thread. In the main thread it
        returns after Ctrl-C, and hands other signals on.

        Raises StartupError, what the application's own module raises, and RuntimeError
        where an event loop runs already, or if the server has been used before.
        """
        self._refuse_if_used()
        loops.refuse_inside_a_loop("Server.run()", "await server.serve()")
        # Imported while no loop runs: some applications run one of their own.
        self._load(sockets)
        try:
            factory = self.config.get_loop_factory()
            # Delivered when the loop is closed and nothing is left to do.
            with contextlib.suppress(KeyboardInterrupt), self.capture_signals():
                loops.run(lambda: self.serve(sockets), factory, self._in_a_hurry)
        finally:
            self._remove_pid_file()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves on the running loop until told to stop. Signals that came meanwhile
        are delivered at the end.

        `sockets` are bound already, and are closed at the end. Raises StartupError,
        what the application's own module raises, and RuntimeError if the server has been
        used before. Cancelled, it accepts nothing more; `shutdown()` waits for the
        requests in flight.
        """
        self._use()
        with self.capture_signals(), signals.waking(asyncio.get_running_loop()):
            await self._serve(sockets)

    async def __aenter__(self) -> Server:
        """Starts on the running loop; signals stay the program's. Raises what `serve()`
        raises."""
        self._use()
        self._task = asyncio.get_running_loop().create_task(self._serve(None))
        try:
            await self.wait_started()
        except BaseException:
            self.should_exit = True
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                # It is what has just been raised.
                self._task.exception()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops, and waits until all is done."""
        self.should_exit = True
        if self._task is not None:
            await self._task

    async def wait_started(self) -> None:
        """Waits until connections are accepted. May be called in any loop.

        Raises what `serve()` raises if it cannot start, and StartupError if it is
        stopped before.
        """
        await asyncio.shield(asyncio.wrap_future(self._ready))

    def wait_started_blocking(self, timeout: float | None = None) -> None:
        """The same for threads. Raises TimeoutError after so many seconds."""
        try:
            self._ready.result(timeout)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"not started after {timeout} s") from None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handles a signal: the first one stops, the second forces, the third kills."""
        if sig == signal.SIGINT and worker.current() is not None:
            # A terminal sends it to all processes; the supervisor decides what follows.
            return
        self._captured.append(sig)
        if self.force_exit:
            # Code that never lets the loop run cannot be stopped otherwise.
            signals.die_of(sig)
        elif self.should_exit:
            self.force_exit = True
        else:
            self.should_exit = True

    def install_signal_handlers(self) -> None:
        """For subclasses and programs that have handlers of their own: called on the
        loop when ours are installed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles signals inside, and delivers them to the old handlers afterwards."""
        if self._capturing:
            yield
            return
        self._capturing = True
        try:
            # Looked up at each signal: programs replace the method.
            with signals.installed(lambda sig, frame: self.handle_exit(sig, frame)):
                yield
        finally:
            self._capturing = False
        signals.raise_again(reversed(self._captured))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the application, binds and begins to accept; not if it is told to
        stop meanwhile. Raises StartupError.

        Programs may call it themselves, and `main_loop()` and `shutdown()` after it, in
        the place of `serve()`.
        """
        if self._serving is not None:
            raise RuntimeError(_ONCE)
        self._is_used = True
        self._enter_loop(sockets)
        if self.lifespan is None:
            self.lifespan = self.config.lifespan_class(self.config)
        self._lifespan_to_stop = self.lifespan
        assert self._settings is not None
        serving = self._serving = Serving(
            self.config,
            self._settings,
            self.limit_max_requests,
            owns_process=self.owns_process,
        )
        if serving.answers_early(sockets):
            try:
                self._open(sockets, hold=True)
            except OSError as error:
                raise BindError(error, reported=False) from None
        await self._start(self.lifespan)
        if self.lifespan.startup_failed and not self.lifespan.interrupted:
            worker.report_failure(self.lifespan.failure)
            raise _not_started(self.lifespan)
        if self.should_exit:
            # Whoever has waited for the start waits in vain.
            serving.stop_accepting()
            serving.close()
            return
        try:
            if serving.engine is None:
                self._open(sockets, hold=False)
            serving.begin(sockets)
        except OSError as error:
            _logger.error("%s", error)
            self._stop_accepting(sockets)
            self._close()
            await self._stop(self.lifespan)
            raise BindError(error) from None
        self.servers = serving.listeners
        self.started = True
        self._ready.set_result(None)

    async def main_loop(self) -> None:
        """Waits until the server is told to stop."""
        is_plain = type(self).on_tick is Server.on_tick
        if is_plain and self.config.callback_notify is None:
            await self._waiter.until(lambda: self.should_exit)
            return
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            deadline = from_now(TICK_SECONDS)
            await self._waiter.until(lambda: self.should_exit, deadline)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second if a subclass has it, or if there is a
        `callback_notify`. True ends the server."""
        notify = self.config.callback_notify
        if notify is not None:
            now = time.time()
            if now - self.last_notified > self.config.timeout_notify:
                self.last_notified = now
                await notify()
        return self.should_exit

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops to accept, lets requests end, then shuts the application down. After
        the first time it does nothing."""
        was_abandoned, self._is_abandoned = self._is_abandoned, False
        serving, engine = self._serving, self._engine
        if serving is not None and engine is not None:
            serving.stop_reporting()
            _logger.info("Shutting down")
            drain = draining.Drain(
                engine, serving.settings, self._waiter, lambda: self.force_exit
            )
            try:
                begin = from_now(0)
                if not was_abandoned:
                    begin = await drain.take_leave()
                self._stop_accepting(sockets)
                await drain.finish(begin)
            finally:
                self._close()
        lifespan, self._lifespan_to_stop = self._lifespan_to_stop, None
        if lifespan is not None:
            await self._stop(lifespan)

    async def _serve(self, sockets: list[socket.socket] | None) -> None:
        error: BaseException | None = None
        try:
            await self._serve_until_stopped(sockets)
        except asyncio.CancelledError as cancelled:
            error = cancelled
            self._abandon(sockets)
            raise
        except BaseException as raised:
            error = raised
            self._give_up(sockets)
            raise
        finally:
            self._settle(error)

    async def _serve_until_stopped(self, sockets: list[socket.socket] | None) -> None:
        self._enter_loop(sockets)
        self.install_signal_handlers()
        _log_process("Started server process")
        await self.startup(sockets=sockets)
        await self.main_loop()
        await self.shutdown(sockets=sockets)
        _log_process("Finished server process")

    def _use(self) -> None:
        """What it has of one life would be in the way of another."""
        self._refuse_if_used()
        self._is_used = True

    def _refuse_if_used(self) -> None:
        if self._is_used:
            raise RuntimeError(_ONCE)

    def _enter_loop(self, sockets: list[socket.socket] | None) -> None:
        """Loads what has not been, and notes the loop that it serves on."""
        self._loop = asyncio.get_running_loop()
        self._waiter.use(self._loop)
        self._load(sockets)

    def _load(self, sockets: list[socket.socket] | None) -> None:
        """Reads certificates and imports the application, if nobody has. Before that it
        claims the file of `--pid-file`: nothing shall be begun beside another server."""
        if self._settings is not None:
            return
        try:
            settings = self.config.settings()
            for option in settings.native.dropped:
                _logger.warning(
                    "Option '%s' needs more than one worker, and WEB_CONCURRENCY asks for "
                    "one: it does nothing.",
                    option,
                )
            if sockets is None:
                self._pid_file = _claim_pid_file(settings)
            self.config.tls = certificates.load(settings)
            if not self.config.loaded:
                self.config.load()
            self._settings = settings
        except BaseException as error:
            self._remove_pid_file()
            self._settle(error)
            raise

    def _settle(self, error: BaseException | None) -> None:
        """Tells those who wait for the start that it will not come any more."""
        if self._ready.done():
            return
        if not isinstance(error, Exception):
            error = LifespanError("The server was stopped before it had started.")
        self._ready.set_exception(error)

    async def _start(self, lifespan: Lifespan) -> None:
        """Runs the application's start-up until it ends or a signal comes."""
        if await self._waiter.finish(
            lifespan.startup(), unless=lambda: self.should_exit
        ):
            return
        await self._waiter.finish(lifespan.interrupt(), unless=lambda: self.force_exit)
        if lifespan.interrupted:
            _logger.info("Application startup interrupted.")

    @property
    def _engine(self) -> Engine | None:
        """There while connections may be."""
        return None if self._serving is None else self._serving.engine

    def _open(self, sockets: list[socket.socket] | None, *, hold: bool) -> None:
        """Binds and begins to accept. Raises OSError."""
        assert self._serving is not None and self.lifespan is not None
        self.server_state.engine = self._serving.open(
            sockets, self.lifespan, self._idle, self._limit_reached, hold=hold
        )

    def _stop_accepting(self, sockets: list[socket.socket] | None) -> None:
        if self._serving is not None:
            self._serving.stop_accepting()
        for given in sockets or ():
            given.close()

    def _close(self) -> None:
        """Ends what serves. Harmless if repeated."""
        if self._serving is not None:
            self._serving.close()
        self._remove_pid_file()

    def _remove_pid_file(self) -> None:
        if self._pid_file is not None:
            self._pid_file.remove()

    def _give_up(self, sockets: list[socket.socket] | None) -> None:
        """Drops everything: an error has come between."""
        self._stop_accepting(sockets)
        self._close()
        if self.lifespan is not None:
            self.lifespan.cancel()

    def _abandon(self, sockets: list[socket.socket] | None) -> None:
        """Lets requests end without anybody who waits for it. `shutdown()` may be
        called, and then does; else the engine is closed with the last of them."""
        if self._engine is None or not self.started:
            self._give_up(sockets)
            return
        self._stop_accepting(sockets)
        self._is_abandoned = True
        if self.lifespan is not None:
            self.lifespan.abandoned = True
        assert self._settings is not None
        seconds = self._settings.timeout_graceful_shutdown
        asyncio.get_running_loop().call_later(seconds, self._close)
        self._idle()

    def _idle(self) -> None:
        """Listeners, connections or tasks have reached zero."""
        self._waiter.changed()
        engine = self._engine
        if self._is_abandoned and engine is not None and self._loop is not None:
            if not (engine.listeners or engine.connections or engine.tasks):
                # Not from inside the engine.
                self._loop.call_soon(self._close)

    def _limit_reached(self) -> None:
        _logger.info(
            "Maximum request limit of %d exceeded. Terminating process.",
            self.limit_max_requests,
        )
        if (member := worker.current()) is not None:
            # It goes on until another worker serves in its place.
            member.recycle()
        else:
            self.should_exit = True

    async def _stop(self, lifespan: Lifespan) -> None:
        """Runs the application's shutdown, unless there is no time for it."""
        if self.force_exit or not await self._waiter.finish(
            lifespan.shutdown(), unless=lambda: self.force_exit
        ):
            await self._waiter.finish(
                lifespan.abandon(), deadline=from_now(draining.CANCEL_SECONDS)
            )

    def _in_a_hurry(self) -> bool:
        return self.force_exit or signal.SIGTERM in self._captured


def _claim_pid_file(settings: Settings) -> PidFile | None:
    """Writes the number of this process, unless one above it does. Raises ConfigError."""
    if settings.pid_file is None or worker.current() is not None:
        return None
    from smolcorn import _core

    try:
        return _core.PidFile(settings.pid_file)
    except OSError as error:
        raise ConfigError(str(error), EXIT_STARTUP) from None


def _not_started(lifespan: Lifespan) -> LifespanError:
    """The error of a start-up that has failed, with what the application says of it."""
    text = "Application startup failed."
    if lifespan.error is None and (said := lifespan.failure.split("\n")[0]):
        text = f"Application startup failed: {said}"
    error = LifespanError(text)
    error.__cause__ = lifespan.error
    return error


def _log_process(text: str) -> None:
    _logger.info(
        f"{text} [%d]",
        os.getpid(),
        extra={"color_message": f"{text} [{cyan('%d')}]"},
    )
