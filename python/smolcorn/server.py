"""The life of a server: start the application, bind, serve, drain, stop.

Everything that happens for each connection or request is in the native core. Here
nothing polls: whoever changes something wakes the one coroutine that waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import math
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from smolcorn import certificates, environment, loops, signals, worker
from smolcorn.config import Settings, configure_logging
from smolcorn.errors import EXIT_ERROR, EXIT_OK, EXIT_STARTUP, StartupError
from smolcorn.interfaces import Application, load_application
from smolcorn.lifespan import Lifespan
from smolcorn.logging import bold, cyan

if TYPE_CHECKING:
    from smolcorn._core import Engine, Socket

PATIENCE_SECONDS = 0.1
"""How long a shutdown goes on before it says what it waits for."""

CANCEL_SECONDS = 1.0
"""How long cancelled requests may take to end before their connections are cut."""

_logger = logging.getLogger("uvicorn.error")


def run(settings: Settings) -> int:
    """Serves until told to stop, and returns the exit status.

    After SIGTERM it does not return: the process dies of the signal when all is done,
    unless somebody handles it.
    """
    worker.join()
    worker.await_turn()
    if settings.app_dir is not None:
        sys.path.insert(0, settings.app_dir)
    try:
        configure_logging(settings)
    except StartupError as error:
        if worker.may_complain():
            print(f"ERROR:    {error}", file=sys.stderr)
        worker.report_failure(str(error))
        return error.exit_code
    try:
        settings = environment.complete(settings)
        certificates.load(settings)
        application = load_application(settings)
        return Server(settings).run(application, loops.loop_factory(settings.loop))
    except StartupError as error:
        if worker.may_complain():
            _logger.error("%s", error)
        worker.report_failure(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_OK
    except SystemExit as error:
        worker.report_failure(traceback.format_exc())
        return _status_of(error)
    except Exception:
        if worker.may_complain():
            sys.excepthook(*sys.exc_info())
        worker.report_failure(traceback.format_exc())
        return EXIT_ERROR


class Server:
    """Serves one application once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started = False
        """Connections are, or were, accepted."""
        self.exit_code = EXIT_OK
        self._should_exit = False
        self._force_exit = False
        self._captured: list[int] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        """Something happened that a waiting condition may depend on."""
        self._owns_process = False

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

    def run(self, application: Application, factory: loops.LoopFactory) -> int:
        """Serves on a loop of its own, and returns the exit status."""
        self._owns_process = True
        # The signals are delivered when the loop is closed and nothing is left to do.
        with contextlib.suppress(KeyboardInterrupt), self.capture_signals():
            loops.run(lambda: self._live(application), factory, self._in_a_hurry)
        return self.exit_code

    async def serve(self) -> int:
        """Serves on the running loop, and returns the exit status. Signals that came
        meanwhile are delivered at the end."""
        settings = environment.complete(self.settings)
        certificates.load(settings)
        application = load_application(settings)
        self.settings = settings
        with self.capture_signals(), signals.waking(asyncio.get_running_loop()):
            return await self._live(application)

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal: the first one stops, the second forces, the third kills."""
        if number == signal.SIGINT and worker.current() is not None:
            # A terminal sends it to all processes; the supervisor decides what follows.
            return
        self._captured.append(number)
        if self.force_exit:
            # Code that never lets the loop run cannot be stopped otherwise.
            signals.die_of(number)
        elif self.should_exit:
            self.force_exit = True
        else:
            self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles signals inside, and delivers them to the old handlers afterwards."""
        # Looked up at each signal: programs replace the method.
        with signals.installed(lambda number, frame: self.handle_exit(number, frame)):
            yield
        signals.raise_again(reversed(self._captured))

    async def _live(self, application: Application) -> int:
        self._loop = asyncio.get_running_loop()
        _log_process("Started server process")
        lifespan = Lifespan(application, self.settings.lifespan)
        try:
            await self._start(lifespan)
            if lifespan.startup_failed and not lifespan.interrupted:
                worker.report_failure(lifespan.failure)
                self.exit_code = EXIT_STARTUP
                return self.exit_code
            if not self.should_exit:
                await self._serve(application, lifespan)
            await self._stop(lifespan)
        except BaseException:
            lifespan.cancel()
            raise
        if self.exit_code == EXIT_OK:
            _log_process("Finished server process")
        return self.exit_code

    async def _start(self, lifespan: Lifespan) -> None:
        """Runs the application's start-up until it ends or a signal comes."""
        if await self._finish(lifespan.startup(), unless=lambda: self.should_exit):
            return
        await self._finish(lifespan.interrupt(), unless=lambda: self.force_exit)
        if lifespan.interrupted:
            _logger.info("Application startup interrupted.")

    async def _serve(self, application: Application, lifespan: Lifespan) -> None:
        """Binds and serves until told to stop, and then until all is drained."""
        from smolcorn import _core

        settings = self._settings_for(application)
        sockets = []
        pid_file = None
        try:
            sockets = _core.bind(settings)
            if settings.pid_file is not None and worker.current() is None:
                pid_file = _core.PidFile(settings.pid_file)
        except OSError as error:
            _close(sockets)
            _logger.error("%s", error)
            self.exit_code = EXIT_STARTUP
            return
        engine = None
        try:
            if self._owns_process:
                # What start-up has made stays; the collector need not look at it again.
                gc.collect()
                gc.freeze()
            engine = _core.Engine(
                settings,
                asyncio.get_running_loop(),
                application.call,
                lifespan.state,
                self._changed.set,
                lambda: self._limit_reached(settings.limit_max_requests),
            )
            with certificates.kept_fresh(settings, on_signal=self._owns_process):
                engine.start(sockets)
                self._announce(engine, sockets)
                self.started = True
                with worker.reporting(settings.timeout_worker_healthcheck):
                    await self._until(lambda: self.should_exit)
                await self._end(engine, sockets)
        finally:
            _close(sockets)
            if engine is not None:
                engine.close()
            if pid_file is not None:
                pid_file.remove()

    def _settings_for(self, application: Application) -> Settings:
        """The settings with everything resolved that the core need not know about."""
        limit = self.settings.limit_max_requests
        if limit is not None:
            limit += random.randint(0, self.settings.limit_max_requests_jitter)
        return dataclasses.replace(
            self.settings,
            interface=application.interface,
            limit_max_requests=limit,
            limit_max_requests_jitter=0,
        )

    def _announce(self, engine: Engine, sockets: list[Socket]) -> None:
        if engine.placement == "threads" and not self.settings.io_threads:
            _logger.info(
                "The event loop cannot watch descriptors. Using I/O threads instead."
            )
        if worker.current() is not None:
            # The supervisor has said so.
            return
        for description in dict.fromkeys(socket.description for socket in sockets):
            is_url = description.startswith(("http://", "https://"))
            text = "Smolcorn running on %s (Press CTRL+C to quit)"
            coloured = text.replace("%s", bold("%s")) if is_url else text
            _logger.info(text, description, extra={"color_message": coloured})

    def _limit_reached(self, limit: int | None) -> None:
        _logger.info(
            "Maximum request limit of %d exceeded. Terminating process.", limit
        )
        if (member := worker.current()) is not None:
            # It goes on until another worker serves in its place.
            member.recycle()
        else:
            self.should_exit = True

    async def _end(self, engine: Engine, sockets: list[Socket]) -> None:
        """Lets others know, and then lets everything that is under way end."""
        _logger.info("Shutting down")
        seconds = worker.patience_of(self.settings.timeout_graceful_shutdown)
        deadline = _from_now(seconds)
        if worker.leaves_alone():
            await self._hand_over(engine)
        elif self.settings.drain_delay > 0:
            await self._linger(engine)
            deadline = _from_now(seconds)
        engine.stop()
        _close(sockets)
        await self._drain(engine, deadline - seconds / 2, deadline)

    async def _hand_over(self, engine: Engine) -> None:
        """Leaves new connections to other workers, and gives clients of idle ones time
        for one more request, whose answer tells them to go."""
        engine.retire()
        settings = self.settings
        seconds = worker.idle_patience_of(
            min(settings.timeout_keep_alive, settings.timeout_graceful_shutdown / 2)
        )
        await self._until(
            lambda: engine.connections == 0 or self.force_exit, _from_now(seconds)
        )

    async def _linger(self, engine: Engine) -> None:
        """Goes on to serve until whoever sends requests here has heard of the end."""
        engine.drain()
        await self._until(lambda: self.force_exit, _from_now(self.settings.drain_delay))

    async def _drain(self, engine: Engine, half_time: float, deadline: float) -> None:
        """Lets connections and requests end; at half the time, tells streams to; when
        it is over, ends them."""
        loop = asyncio.get_running_loop()
        warning = loop.call_at(half_time, engine.disconnect_streams)
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


def _from_now(seconds: float) -> float:
    """The running loop's time in so many seconds."""
    return asyncio.get_running_loop().time() + seconds


def _close(sockets: list[Socket]) -> None:
    for socket in sockets:
        socket.close()


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
