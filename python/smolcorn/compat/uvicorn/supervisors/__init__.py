"""`uvicorn.supervisors`: several processes, or one that is started anew.

The supervisor is that of the command line: it makes its own servers, from what the
configuration says. `target` is not called.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

from smolcorn.api import Config
from smolcorn.errors import EXIT_OK


class _Supervisor:
    """Runs what `smolcorn.run` runs for such a configuration."""

    def __init__(
        self,
        config: Config,
        target: Callable[..., Any] | None = None,
        sockets: list[socket.socket] | None = None,
    ) -> None:
        self.config = config
        self.sockets = sockets or []

    def run(self) -> None:
        """Serves until told to stop. Raises SystemExit if that failed, and
        ConfigError."""
        from smolcorn import _core

        with self.config.command_line(self.sockets) as argv:
            status = _core.main(argv)
        for given in self.sockets:
            given.close()
        if status != EXIT_OK:
            sys.exit(status)


class Multiprocess(_Supervisor):
    """Runs `config.workers` processes."""


class BaseReload(_Supervisor):
    """Starts the process anew when files change."""


class ChangeReload(BaseReload):
    """The same."""


StatReload = WatchFilesReload = ChangeReload

__all__ = [
    "BaseReload",
    "ChangeReload",
    "Multiprocess",
    "StatReload",
    "WatchFilesReload",
]
