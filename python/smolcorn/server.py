"""The life of a server: start the application, bind, serve, drain, stop.

Everything that happens for each connection or request is in the native core. Here
nothing polls: whoever changes something wakes the one coroutine that waits.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import gc
import logging
import math
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from smolcorn import certificates, environment, loops, signals, worker
from smolcorn.config import Settings
from smolcorn.errors import (
    EXIT_ERROR,
    EXIT_OK,
    BindError,
    LifespanError,
    StartupError,
)
from smolcorn.lifespan import Lifespan
from smolcorn.listeners import Listener, ServerState
from smolcorn.logging import bold, cyan

if TYPE_CHECKING:
    from types import TracebackType

    from smolcorn._core import Engine, Socket
    from smolcorn.api import Config

PATIENCE_SECONDS = 0.1
"""How long a shutdown goes on before it says what it waits for."""

CANCEL_SECONDS = 1.0
"""How long cancelled requests may take to end before their connections are cut."""

TICK_SECONDS = 0.1
"""Between two calls of `on_tick()`, where somebody wants them."""

_logger = logging.getLogger("uvicorn.error")


def run(settings: Settings) -> int:
    """Serves as a command line says, and returns the exit status.

    After SIGTERM it does not return: the process dies of the signal when all is done,
    unless somebody handles it.
    """
    from smolcorn.api import Config

    worker.join()
    worker.await_turn()
    if settings.app_dir is not None:
        sys.path.insert(0, settings.app_dir)
    config = Config.of(settings)
    try:
        config.configure_logging()
    except StartupError as error:
        if worker.may_complain():
            print(f"ERROR:    {error}", file=sys.stderr)
        worker.report_failure(str(error))
        return error.exit_code
    try:
        settings = environment.complete(settings)
    except StartupError as error:
        return report(error)
    return run_config(Config.of(settings))


def run_config(config: Config) -> int:
    """Serves in this process, whose only purpose that is; returns the exit status."""
    server = Server(config)
    server.owns_process = True
    try:
        server.run()
    except StartupError as error:
        return report(error)
    except KeyboardInterrupt:
        return EXIT_OK
    except SystemExit as error:
        worker.report_failure(traceback.format_exc())
        return _status_of(error)
    except Exception as error:
        if worker.may_complain():
            sys.excepthook(type(error), error, error.__traceback__)
        worker.report_failure(traceback.format_exc())
        return EXIT_ERROR
    return EXIT_OK


def report(error: StartupError) -> int:
    """Logs it, if nobody has, and returns the exit status."""
    if not error.reported:
        if worker.may_complain():
            _logger.error("%s", error)
        worker.report_failure(str(error))
    return error.exit_code


def bind_socket(settings: Settings) -> socket.socket:
    """Binds, announces the address and returns the socket. Raises BindError."""
    from smolcorn import _core

    try:
        bound = _core.bind(settings)
    except OSError as error:
        raise BindError(error, reported=False) from None
    _announce(bound[:1])
    made = socket.socket(fileno=socket.dup(bound[0].fileno()))
    made.set_inheritable(True)
    if made.family != getattr(socket, "AF_UNIX", None):
        # That of a Unix socket would take its path along.
        _close(bound)
    else:
        _kept.extend(bound)
    return made


_kept: list[Socket] = []
"""Unix sockets whose paths must stay while the process lives."""


class Server:
    """Serves one application once."""

    def __init__(self, config: Config) -> None:
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
        self._changed = asyncio.Event()
        """Something happened that a waiting condition may depend on."""
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when it has started, or cannot any more."""
        self._task: asyncio.Task[None] | None = None
        """Serves, if the server is used as a context manager."""
        self._engine: Engine | None = None
        self._lifespan_to_stop: Lifespan | None = None
        self._sockets: list[Socket] = []
        self._is_abandoned = False
        self._settings: Settings | None = None
        """What it serves by, once the application is loaded."""
        self._serving = contextlib.ExitStack()
        self._reporting = contextlib.ExitStack()
        """Open while the loop is expected to run freely."""
        """What ends with the engine."""

    @property
    def should_exit(self) -> bool:
        """Whether the server has been told to stop. May be set from any thread."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        self._wake()

    @property
    def force_exit(self) -> bool:
        """Whether it must stop at once. May be set from any thread."""
        return self._force_exit

    @force_exit.setter
    def force_exit(self, value: bool) -> None:
        self._force_exit = value
        self._wake()

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

        Raises StartupError, and what the application's own module raises.
        """
        # Imported while no loop runs: some applications run one of their own.
        self._load()
        factory = self.config.get_loop_factory()
        # The signals are delivered when the loop is closed and nothing is left to do.
        with contextlib.suppress(KeyboardInterrupt), self.capture_signals():
            loops.run(lambda: self.serve(sockets), factory, self._in_a_hurry)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves on the running loop until told to stop. Signals that came meanwhile
        are delivered at the end.

        `sockets` are bound already, and are closed at the end. Raises StartupError,
        and what the application's own module raises. Cancelled, it accepts nothing
        more; `shutdown()` waits for the requests in flight.
        """
        with self.capture_signals(), signals.waking(asyncio.get_running_loop()):
            await self._live(sockets)

    async def __aenter__(self) -> Server:
        """Starts on the running loop; signals stay the program's. Raises StartupError."""
        self._task = asyncio.get_running_loop().create_task(self._live(None))
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
        stop meanwhile. Raises LifespanError or BindError."""
        assert self.lifespan is not None
        await self._start(self.lifespan)
        if self.lifespan.startup_failed and not self.lifespan.interrupted:
            worker.report_failure(self.lifespan.failure)
            raise LifespanError("Application startup failed.")
        if not self.should_exit:
            try:
                self._listen(sockets)
            except OSError as error:
                _logger.error("%s", error)
                self._stop_accepting(sockets)
                self._close_engine()
                await self._stop(self.lifespan)
                raise BindError(error) from None

    async def main_loop(self) -> None:
        """Waits until the server is told to stop."""
        is_plain = type(self).on_tick is Server.on_tick
        if is_plain and self.config.callback_notify is None:
            await self._until(lambda: self.should_exit)
            return
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            await self._until(lambda: self.should_exit, _from_now(TICK_SECONDS))

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
        if self._engine is not None:
            self._reporting.close()
            _logger.info("Shutting down")
            try:
                begin = _from_now(0)
                if not was_abandoned:
                    begin = await self._take_leave(self._engine)
                self._stop_accepting(sockets)
                await self._drain(self._engine, begin)
            finally:
                self._close_engine()
        lifespan, self._lifespan_to_stop = self._lifespan_to_stop, None
        if lifespan is not None:
            await self._stop(lifespan)

    async def _live(self, sockets: list[socket.socket] | None) -> None:
        error: BaseException | None = None
        try:
            await self._live_until_stopped(sockets)
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

    async def _live_until_stopped(self, sockets: list[socket.socket] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._load()
        self.install_signal_handlers()
        _log_process("Started server process")
        self.lifespan = Lifespan(self.config.application, self.config.lifespan)
        self._lifespan_to_stop = self.lifespan
        await self.startup(sockets=sockets)
        await self.main_loop()
        await self.shutdown(sockets=sockets)
        _log_process("Finished server process")

    def _load(self) -> None:
        """Reads certificates and imports the application, if nobody has."""
        if self._settings is not None:
            return
        try:
            settings = self.config.settings()
            certificates.load(settings)
            if not self.config.loaded:
                self.config.load()
            self._settings = settings
        except BaseException as error:
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
        if await self._finish(lifespan.startup(), unless=lambda: self.should_exit):
            return
        await self._finish(lifespan.interrupt(), unless=lambda: self.force_exit)
        if lifespan.interrupted:
            _logger.info("Application startup interrupted.")

    def _listen(self, sockets: list[socket.socket] | None) -> None:
        """Binds and begins to accept. Raises OSError."""
        from smolcorn import _core

        assert self.lifespan is not None
        settings = self._settings_to_serve_by()
        if sockets is None:
            self._sockets = _core.bind(settings)
            if settings.pid_file is not None and worker.current() is None:
                pid_file = _core.PidFile(settings.pid_file)
                self._serving.callback(pid_file.remove)
        else:
            numbers = [given.fileno() for given in sockets]
            self._sockets = _core.adopt(settings, numbers)
        if self.owns_process:
            # What start-up has made stays; the collector need not look at it again.
            gc.collect()
            gc.freeze()
        engine = self._engine = self.server_state.engine = _core.Engine(
            settings,
            asyncio.get_running_loop(),
            self.config.application.call,
            self.lifespan.state,
            self._idle,
            lambda: self._limit_reached(settings.limit_max_requests),
        )
        engine.start(self._sockets)
        if self.owns_process and signals.is_free("SIGUSR1"):
            engine.answer_signal()
        groups = [self._sockets] if sockets is None else [[s] for s in self._sockets]
        self.servers = [Listener(group, engine.stop) for group in groups]
        if engine.placement == "threads" and not settings.io_threads:
            _logger.info(
                "The event loop cannot watch descriptors. Using I/O threads instead."
            )
        self._serving.enter_context(
            certificates.kept_fresh(settings, on_signal=self.owns_process)
        )
        if sockets is None and worker.current() is None:
            # Who hands sockets over has told of them.
            _announce(self._sockets)
        self._reporting.enter_context(
            worker.reporting(settings.timeout_worker_healthcheck)
        )
        self.started = True
        self._ready.set_result(None)

    def _settings_to_serve_by(self) -> Settings:
        """The settings with everything resolved that the core need not know about."""
        assert self._settings is not None
        settings = self._settings
        limit = settings.limit_max_requests
        if limit is not None:
            limit += random.randint(0, settings.limit_max_requests_jitter)
        return dataclasses.replace(
            settings,
            interface=self.config.application.interface,
            limit_max_requests=limit,
            limit_max_requests_jitter=0,
        )

    def _stop_accepting(self, sockets: list[socket.socket] | None) -> None:
        if self._engine is not None:
            self._engine.stop()
        _close(self._sockets)
        for server in self.servers:
            server.release()
        for given in sockets or ():
            given.close()

    def _close_engine(self) -> None:
        self._reporting.close()
        self._serving.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _give_up(self, sockets: list[socket.socket] | None) -> None:
        """Drops everything: an error has come between."""
        self._stop_accepting(sockets)
        self._close_engine()
        if self.lifespan is not None:
            self.lifespan.cancel()

    def _abandon(self, sockets: list[socket.socket] | None) -> None:
        """Lets requests end without anybody who waits for it. `shutdown()` may be
        called, and then does; else the engine is closed with the last of them."""
        if self._engine is None:
            self._give_up(sockets)
            return
        self._stop_accepting(sockets)
        self._is_abandoned = True
        if self.lifespan is not None:
            self.lifespan.abandoned = True
        assert self._settings is not None
        seconds = self._settings.timeout_graceful_shutdown
        asyncio.get_running_loop().call_later(seconds, self._close_engine)
        self._idle()

    def _idle(self) -> None:
        """Listeners, connections or tasks have reached zero."""
        self._changed.set()
        engine = self._engine
        if self._is_abandoned and engine is not None and self._loop is not None:
            if not (engine.listeners or engine.connections or engine.tasks):
                # Not from inside the engine.
                self._loop.call_soon(self._close_engine)

    def _limit_reached(self, limit: int | None) -> None:
        _logger.info(
            "Maximum request limit of %d exceeded. Terminating process.", limit
        )
        if (member := worker.current()) is not None:
            # It goes on until another worker serves in its place.
            member.recycle()
        else:
            self.should_exit = True

    async def _take_leave(self, engine: Engine) -> float:
        """Lets others know of the end while everything is still served. Returns when
        the time for what is under way has begun."""
        assert self._settings is not None
        begin = _from_now(0)
        if worker.leaves_alone():
            await self._hand_over(engine, self._settings)
        elif self._settings.drain_delay > 0:
            # Until whoever sends requests here has heard of the end.
            engine.drain()
            await self._until(
                lambda: self.force_exit, _from_now(self._settings.drain_delay)
            )
            begin = _from_now(0)
        return begin

    async def _hand_over(self, engine: Engine, settings: Settings) -> None:
        """Leaves new connections to other workers, and gives clients of idle ones time
        for one more request, whose answer tells them to go."""
        engine.retire()
        seconds = worker.idle_patience_of(
            min(settings.timeout_keep_alive, settings.timeout_graceful_shutdown / 2)
        )
        await self._until(
            lambda: engine.connections == 0 or self.force_exit, _from_now(seconds)
        )

    async def _drain(self, engine: Engine, begin: float) -> None:
        """Lets connections and requests end; at half the time, tells streams to; when
        it is over, ends them."""
        assert self._settings is not None
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
            await self._cut_off(engine)

    async def _until_none(
        self, count: Callable[[], int], what: str, deadline: float
    ) -> bool:
        """Waits until `count()` is zero. False if the deadline or a second signal came
        first."""

        def over() -> bool:
            return count() == 0 or self.force_exit

        if not await self._until(over, _from_now(PATIENCE_SECONDS)):
            _logger.info("Waiting for %s. (CTRL+C to force quit)", what)
            await self._until(over, deadline)
        return count() == 0

    async def _cut_off(self, engine: Engine) -> None:
        """Cancels the requests that are left; then cuts their connections."""
        if self.force_exit:
            engine.cancel_tasks("Task cancelled, server was forced to quit")
        else:
            reason = "timeout graceful shutdown exceeded"
            _logger.error("Cancel %d running task(s), %s", engine.tasks, reason)
            engine.cancel_tasks(f"Task cancelled, {reason}")
        await self._until(
            lambda: not engine.connections and not engine.tasks,
            _from_now(CANCEL_SECONDS),
        )
        if engine.connections or engine.tasks:
            engine.abort()

    async def _stop(self, lifespan: Lifespan) -> None:
        """Runs the application's shutdown, unless there is no time for it."""
        if self.force_exit or not await self._finish(
            lifespan.shutdown(), unless=lambda: self.force_exit
        ):
            await self._finish(lifespan.abandon(), deadline=_from_now(CANCEL_SECONDS))

    async def _finish(
        self,
        work: Coroutine[Any, Any, None],
        unless: Callable[[], bool] = lambda: False,
        deadline: float = math.inf,
    ) -> bool:
        """Runs `work` to its end; False if `unless` held or time was over before."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda _: self._changed.set())
        try:
            await self._until(lambda: task.done() or unless(), deadline)
            if not task.done():
                return False
            task.result()
            return True
        finally:
            task.cancel()

    async def _until(
        self, condition: Callable[[], bool], deadline: float = math.inf
    ) -> bool:
        """Waits until `condition()` holds; False if the deadline came first."""
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

    def _wake(self) -> None:
        # From a signal handler or another thread; the loop may be gone already.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._changed.set)

    def _in_a_hurry(self) -> bool:
        return self.force_exit or signal.SIGTERM in self._captured


def _announce(sockets: list[Socket]) -> None:
    for description in dict.fromkeys(bound.description for bound in sockets):
        is_url = description.startswith(("http://", "https://"))
        text = "Smolcorn running on %s (Press CTRL+C to quit)"
        coloured = text.replace("%s", bold("%s")) if is_url else text
        _logger.info(text, description, extra={"color_message": coloured})


def _from_now(seconds: float) -> float:
    """The running loop's time in so many seconds."""
    return asyncio.get_running_loop().time() + seconds


def _close(sockets: list[Socket]) -> None:
    for bound in sockets:
        bound.close()


def _log_process(text: str) -> None:
    _logger.info(
        f"{text} [%d]",
        os.getpid(),
        extra={"color_message": f"{text} [{cyan('%d')}]"},
    )


def _status_of(error: SystemExit) -> int:
    """The exit status that Python would give a process that ends with `error`."""
    if error.code is None:
        return EXIT_OK
    if isinstance(error.code, int):
        return error.code
    print(error.code, file=sys.stderr)
    return EXIT_ERROR
