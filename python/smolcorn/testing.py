"""Serves an application in a thread, for tests that want a real server.

    with smolcorn.testing.serve(app) as served:
        httpx.get(served.url)

With pytest there is a fixture besides, `smolcorn_server`; see `smolcorn.pytest_plugin`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from smolcorn.api import App, Config
from smolcorn.options import Options
from smolcorn.server import Server

if TYPE_CHECKING:
    from typing_extensions import Unpack

START_SECONDS = 60.0
"""How long a server may take until it accepts connections."""


class Served:
    """An application that is being served."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.error: BaseException | None = None
        """What ended the server, if that was not `stop()`."""
        self._thread = threading.Thread(target=self._run, name="smolcorn.testing")

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end."""
        return self.server.urls[0]

    @property
    def port(self) -> int:
        """The TCP port."""
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        """Returns when connections are accepted. Raises what keeps the server from
        starting."""
        self._thread.start()
        try:
            self.server.wait_started_blocking(START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops it and waits for its end. May be called again."""
        self.server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        try:
            self.server.run()
        except BaseException as error:
            self.error = error


def make(app: App, **options: Unpack[Options]) -> Served:
    """An application that is not served yet: on any free port of 127.0.0.1.

    Logging is left as it is, unless `log_config` says otherwise.
    """
    if "log_config" not in options:
        options["log_config"] = None
    return Served(Server(Config(app, "127.0.0.1", 0, **options)))


@contextlib.contextmanager
def serve(app: App, **options: Unpack[Options]) -> Iterator[Served]:
    """Serves it inside the block."""
    served = make(app, **options)
    served.start()
    try:
        yield served
    finally:
        served.stop()
