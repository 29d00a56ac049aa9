"""`uvicorn.middleware.proxy_headers`, for programs that wrap their application in it.

The server itself does this in native code (`--proxy-headers`). The rules are the same,
but for one: a network given with host bits means that network.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import Any, TypeAlias

from smolcorn.types import ASGI3Application, Receive, Scope, Send

_Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
_Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

_CACHED_HOSTS_MAX = 4096


class ProxyHeadersMiddleware:
    """Takes scheme and client of a request from what trusted proxies say of it."""

    def __init__(
        self, app: ASGI3Application, trusted_hosts: list[str] | str = "127.0.0.1"
    ) -> None:
        self.app = app
        self.trusted_hosts = _TrustedHosts(trusted_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] in ("http", "websocket"):
            client = scope.get("client")
            if self.trusted_hosts.trusts(client[0] if client else None):
                self._apply(scope)
        return await self.app(scope, receive, send)

    def _apply(self, scope: Scope) -> None:
        protos: list[str] = []
        chains: list[str] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-proto":
                protos.append(value.decode("latin-1").strip())
            elif name == b"x-forwarded-for":
                chains.append(value.decode("latin-1"))
        if protos and protos[-1] in ("http", "https", "ws", "wss"):
            scope["scheme"] = _scheme(scope["type"], protos[-1])
        if chains:
            host, port = _host_and_port(self.trusted_hosts.client(", ".join(chains)))
            if host:
                scope["client"] = (host, port)


class _TrustedHosts:
    def __init__(self, hosts: list[str] | str) -> None:
        self.everybody = hosts in ("*", ["*"])
        items = hosts.split(",") if isinstance(hosts, str) else hosts
        self.addresses: set[_Address] = set()
        self.networks: list[_Network] = []
        self.literals: set[str] = set()
        for item in filter(None, (item.strip() for item in items)):
            self._add(item)
        # One cache for each list, so that it goes with the list.
        self._lookup = functools.lru_cache(_CACHED_HOSTS_MAX)(self._look_up)

    def _add(self, item: str) -> None:
        try:
            if "/" in item:
                self.networks.append(ipaddress.ip_network(item, strict=False))
            else:
                self.addresses.add(ipaddress.ip_address(item))
        except ValueError:
            self.literals.add(item)

    def trusts(self, host: str | None) -> bool:
        return self.everybody or (bool(host) and self._lookup(str(host)))

    def _look_up(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in self.literals
        return address in self.addresses or any(
            address in network for network in self.networks
        )

    def client(self, chain: str) -> str:
        """The last one whom nobody trusted vouches for."""
        hosts = [host.strip() for host in chain.split(",")]
        if self.everybody:
            return hosts[0]
        for host in reversed(hosts):
            if not self.trusts(_host_and_port(host)[0]):
                return host
        return hosts[0]


def _scheme(kind: str, proto: str) -> str:
    if kind == "websocket":
        return {"http": "ws", "https": "wss"}.get(proto, proto)
    return proto


def _host_and_port(text: str) -> tuple[str, int]:
    """Takes the port off, if there is one; else it is 0."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
        return host, int(port) if port.isdecimal() else 0
    host, _, port = text.partition(":")
    if text.count(":") == 1 and port.isdecimal():
        return host, int(port)
    return text, 0
