"""What programs look at in a running server: its listening sockets and its counts.

The shapes are those of `asyncio.Server` and of uvicorn's server state, because programs
ask for `server.servers[0].sockets[0].getsockname()`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolcorn._core import Engine, Socket

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses of every interface, and where this machine reaches them."""


class Listener:
    """Sockets that listen together. They are duplicates, and closed with the server."""

    def __init__(self, bound: list[Socket], stop: Callable[[], None]) -> None:
        self._sockets = tuple(
            socket.socket(fileno=socket.dup(one.fileno())) for one in bound
        )
        self._descriptions = [one.description for one in bound]
        self._stop = stop

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets; empty when they are closed."""
        return self._sockets

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return bool(self._sockets)

    def close(self) -> None:
        """Has the server accept nothing more, and finish what it has accepted."""
        self._stop()
        self.release()

    async def wait_closed(self) -> None:
        """For programs that close it; the server itself waits for its connections."""

    def release(self) -> None:
        """Closes the sockets."""
        sockets, self._sockets = self._sockets, ()
        for one in sockets:
            one.close()

    def urls(self, scheme: str) -> list[str]:
        """Where clients on this machine reach it."""
        pairs = zip(self._sockets, self._descriptions, strict=False)
        return [_url(scheme, one, description) for one, description in pairs]


class ServerState:
    """What the server counts."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.default_headers: list[tuple[bytes, bytes]] = []
        """Always empty: the headers of every response are the core's."""

    @property
    def total_requests(self) -> int:
        """Completed requests."""
        return 0 if self.engine is None else self.engine.requests

    @property
    def connections(self) -> Collection[Any]:
        """As many things as there are open connections."""
        return range(0 if self.engine is None else self.engine.connections)

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """The tasks of requests whose application has not returned."""
        return set() if self.engine is None else set(self.engine.running())


def _url(scheme: str, bound: socket.socket, description: str) -> str:
    name = bound.getsockname()
    if bound.family not in (socket.AF_INET, socket.AF_INET6):
        # The path is known from its description: our own were moved there.
        import urllib.parse

        path = description.removeprefix("unix ").removeprefix("socket ")
        return f"{scheme}+unix://{urllib.parse.quote(path, safe='')}"
    host, port = str(name[0]), name[1]
    host = _WILDCARDS.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
