"""A worker class for gunicorn: `gunicorn -k smolcorn.workers.SmolcornWorker main:app`.

gunicorn's arbiter keeps the sockets and the processes; a worker serves on them. What
gunicorn is told of timeouts, limits, proxies and logs counts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from types import FrameType
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from smolcorn.api import Config
from smolcorn.errors import StartupError
from smolcorn.server import Server

BEAT_SECONDS = 1.0
"""Between two signs of life to the arbiter. Its shortest timeout is a second."""

_logger = logging.getLogger("uvicorn.error")


class SmolcornWorker(Worker):  # type: ignore[misc]
    """Serves an ASGI application."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {}
    """What `smolcorn.Config` is told besides; subclasses set it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _use_handlers("uvicorn.error", self.log.error_log)
        _use_handlers("uvicorn.access", self.log.access_log)
        self.server: _WorkerServer | None = None
        self._is_told_to_stop = False

    def init_signals(self) -> None:
        """While the server runs it handles SIGTERM and SIGINT itself; before and after
        that they come here."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, self.handle_exit)
        signal.signal(signal.SIGQUIT, self.handle_quit)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        signal.siginterrupt(signal.SIGUSR1, False)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM, SIGINT: there is nothing to be served any more."""
        self._is_told_to_stop = True
        if self.server is not None:
            self.server.should_exit = True

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGQUIT: stops at once."""
        self._is_told_to_stop = True
        if self.server is not None:
            self.server.should_exit = self.server.force_exit = True

    def run(self) -> None:
        """Serves until the arbiter wants no more."""
        try:
            self.server = _WorkerServer(self.make_config(), self)
            if self._is_told_to_stop:
                return
            self.server.run(sockets=[_plain(one) for one in self.sockets])
        except StartupError as error:
            if not error.reported:
                _logger.error("%s", error)
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def make_config(self) -> Config:
        """What gunicorn's settings mean here."""
        settings: dict[str, Any] = {
            "log_config": None,
            "timeout_keep_alive": self.cfg.keepalive,
            "timeout_graceful_shutdown": self.cfg.graceful_timeout,
            "forwarded_allow_ips": self.cfg.forwarded_allow_ips,
            "backlog": self.cfg.backlog,
            "workers": 1,
        }
        if self.cfg.max_requests > 0:
            # With gunicorn's own jitter.
            settings["limit_max_requests"] = self.max_requests
        if self.cfg.is_ssl:
            options = self.cfg.ssl_options
            settings["ssl_keyfile"] = options.get("keyfile")
            settings["ssl_certfile"] = options.get("certfile")
            settings["ssl_ca_certs"] = options.get("ca_certs")
            settings["ssl_cert_reqs"] = int(options.get("cert_reqs") or 0)
            settings["ssl_ciphers"] = options.get("ciphers")
        return Config(self.wsgi, **{**settings, **self.CONFIG_KWARGS})


class _WorkerServer(Server):
    """Tells the arbiter that it lives, and ends when the arbiter is gone."""

    def __init__(self, config: Config, worker: SmolcornWorker) -> None:
        super().__init__(config)
        self._worker = worker
        self.owns_process = True

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        beats = asyncio.get_running_loop().create_task(self._beat())
        try:
            await super().serve(sockets)
        finally:
            beats.cancel()

    async def _beat(self) -> None:
        while True:
            self._worker.notify()
            if os.getppid() != self._worker.ppid:
                _logger.info("The parent has changed. Shutting down.")
                self.should_exit = True
            await asyncio.sleep(BEAT_SECONDS)


def _plain(listener: Any) -> socket.socket:
    """The socket in what gunicorn calls one."""
    plain: socket.socket = getattr(listener, "sock", listener)
    return plain


def _use_handlers(name: str, theirs: logging.Logger) -> None:
    logger = logging.getLogger(name)
    logger.handlers = theirs.handlers
    logger.setLevel(theirs.level)
    logger.propagate = False
