"""What a server has while it serves: sockets, the engine on them, and what looks after
both. It is made when the application has started, and closed before the application
shuts down.

When that is, and how requests are let to finish, is the business of server.py and
draining.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from smolcorn import certificates, signals, worker
from smolcorn.errors import BindError
from smolcorn.listeners import Listener
from smolcorn.logging import bold

if TYPE_CHECKING:
    from smolcorn._core import Engine, Socket
    from smolcorn.config import Settings
    from smolcorn.lifespan import Lifespan
    from smolcorn.server_config import ServerConfig

_logger = logging.getLogger("uvicorn.error")

_kept: list[Socket] = []
"""Unix sockets whose paths must stay while the process lives."""


class Serving:
    """Accepts connections for one application on the running loop."""

    def __init__(
        self,
        config: ServerConfig,
        settings: Settings,
        limit_max_requests: int | None,
        *,
        owns_process: bool,
    ) -> None:
        self.settings = settings
        self.engine: Engine | None = None
        """There from the start to `close()`."""
        self.listeners: list[Listener] = []
        self._config = config
        self._limit_max_requests = limit_max_requests
        self._owns_process = owns_process
        self._sockets: list[Socket] = []
        self._holding = False
        """Requests wait for `begin()`."""
        self._open = contextlib.ExitStack()
        """What ends with the engine."""
        self._reporting = contextlib.ExitStack()
        """Open while the loop is expected to run freely."""

    def answers_early(self, sockets: list[socket.socket] | None) -> bool:
        """Whether to accept before the application has started: the health path says
        so meanwhile, and requests wait. Where somebody else serves on the sockets, he
        shall have them."""
        member = worker.current()
        others_serve = sockets is not None or (member is not None and not member.first)
        return self.settings.native.health_path is not None and not others_serve

    def open(
        self,
        sockets: list[socket.socket] | None,
        lifespan: Lifespan,
        on_idle: Callable[[], None],
        on_limit: Callable[[], None],
        *,
        hold: bool,
    ) -> Engine:
        """Binds, unless there are sockets already, and accepts. With `hold` requests
        wait for `begin()`. Raises OSError.

        `on_idle` is called when listeners, connections or tasks have reached zero,
        `on_limit` when as many requests are completed as there may be.
        """
        from smolcorn import _core

        settings = self._resolved()
        self._bind(settings, sockets)
        self._holding = hold
        if not hold:
            self._freeze()
        engine = self.engine = _core.Engine(
            settings,
            asyncio.get_running_loop(),
            self._config.application.served,
            lifespan.state,
            _weakly(on_idle),
            _weakly(on_limit),
        )
        engine.start(self._sockets, hold)
        if self._owns_process and signals.is_free("SIGUSR1"):
            engine.answer_signal()
        return engine

    def begin(self, sockets: list[socket.socket] | None) -> None:
        """Serves, on what `open()` has opened."""
        engine, settings = self.engine, self.settings
        assert engine is not None
        if self._holding:
            self._freeze()
            engine.admit()
        groups = [self._sockets] if sockets is None else [[s] for s in self._sockets]
        self.listeners = [Listener(group, engine.stop) for group in groups]
        is_asgi = self._config.application.wsgi is None
        if is_asgi and engine.placement == "threads" and not settings.io_threads:
            _logger.info(
                "The event loop cannot watch descriptors. Using I/O threads instead."
            )
        self._open.enter_context(
            certificates.kept_fresh(settings, on_signal=self._owns_process)
        )
        if sockets is None and worker.current() is None:
            # Who hands sockets over has told of them.
            _announce(self._sockets)
        self._reporting.enter_context(
            worker.reporting(settings.timeout_worker_healthcheck)
        )

    def _freeze(self) -> None:
        if self._owns_process:
            # What start-up has made stays; the collector need not look at it again.
            gc.collect()
            gc.freeze()

    def _bind(self, settings: Settings, sockets: list[socket.socket] | None) -> None:
        from smolcorn import _core

        if sockets is not None:
            numbers = [given.fileno() for given in sockets]
            self._sockets = _core.adopt(settings, numbers)
            return
        self._sockets = _core.bind(settings)

    def _resolved(self) -> Settings:
        """The settings with everything resolved that the core need not know about."""
        return self.settings._replace(
            interface=self._config.application.interface,
            limit_max_requests=self._limit_max_requests,
            limit_max_requests_jitter=0,
        )

    def stop_reporting(self) -> None:
        """The loop need not run freely from now on."""
        self._reporting.close()

    def stop_accepting(self) -> None:
        """Accepts nothing more, and closes the sockets."""
        if self.engine is not None:
            self.engine.stop()
        _close(self._sockets)
        for listener in self.listeners:
            listener.release()

    def close(self) -> None:
        """Ends whatever is left. Harmless if repeated."""
        self._reporting.close()
        self._open.close()
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close()


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


def _announce(sockets: list[Socket]) -> None:
    for description in dict.fromkeys(bound.description for bound in sockets):
        is_url = description.startswith(("http://", "https://"))
        text = "Smolcorn running on %s (Press CTRL+C to quit)"
        coloured = text.replace("%s", bold("%s")) if is_url else text
        _logger.info(text, description, extra={"color_message": coloured})


def _close(sockets: list[Socket]) -> None:
    for bound in sockets:
        bound.close()


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """Calls a bound method as long as its object is there. The engine, which the
    collector cannot look into, must not be what keeps the server and its application.
    """
    reference = weakref.WeakMethod(method)

    def call() -> None:
        found = reference()
        if found is not None:
            found()

    return call
