"""The loads: which application is asked for what, by how many connections.

A load names what it needs (TLS, WebSocket, workers, another interpreter). Whether a server has it
is found out when it is started and asked.
"""

import json
from dataclasses import dataclass

KB = 1024
MB = 1024 * KB
HELLO = b"Hello, you"
ORDER = json.dumps(
    {"name": "tea", "count": 3, "price": 2.5, "tags": ["green", "loose"]}
).encode()
RECEIPT = b'{"name":"tea","total":7.5,"buyer":"kim"}'
ITEM = b'{"id":42,"name":"tea","price":2.5,"tags":["green","loose"],"stock":true}'
#: wrk sends a `host` by itself, and so does whoever checks the answer.
BROWSER_HEADERS = (
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.8,de;q=0.5,fr;q=0.3"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("cache-control", "max-age=0"),
    ("dnt", "1"),
    ("sec-gpc", "1"),
    ("priority", "u=0, i"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-user", "?1"),
    ("sec-ch-ua", '"Chromium";v="140", "Not=A?Brand";v="24"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("upgrade-insecure-requests", "1"),
    ("referer", "https://shop.example.org/catalogue/tea?page=2&sort=price"),
    ("cookie", "session=0f8fad5bd9cb469fa16570867728950e; theme=dark; consent=1"),
    ("if-none-match", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'),
    ("if-modified-since", "Mon, 03 Nov 2025 10:00:00 GMT"),
    ("x-forwarded-for", "203.0.113.77"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "shop.example.org"),
    ("x-forwarded-port", "443"),
    ("x-real-ip", "203.0.113.77"),
    ("x-request-id", "b7ad6b7169203331e4f1c2a0d1f2e3a4"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("via", "1.1 edge.example.org"),
    ("x-forwarded-server", "edge.example.org"),
)
MAIN_SERVERS = ("smolcorn", "granian", "uvicorn")


@dataclass(frozen=True)
class WebSocket:
    """What the clients say. A message comes back to its sender, or to all who are connected."""

    message_bytes: int
    #: Messages that a connection has under way.
    in_flight: int = 1
    #: One client speaks, and all hear it; the next message waits until all have.
    broadcast: bool = False
    #: With permessage-deflate.
    deflate: bool = False


@dataclass(frozen=True)
class Load:
    """One row of the report."""

    name: str
    title: str
    #: Module and attribute below benches/apps/.
    app: str
    #: The body by which the server is checked before it is measured.
    answer: bytes = HELLO
    connections: int = 64
    method: str = "GET"
    path: str = "/"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    #: Requests that go out in one write, and are answered before the next write.
    pipelined: int = 1
    access_log: bool = False
    tls: bool = False
    #: Each request on a connection of its own.
    new_connections: bool = False
    workers: int = 1
    #: How the application is called: asgi or wsgi.
    interface: str = "asgi"
    #: On the interpreter that --other-python names.
    other_python: bool = False
    websocket: WebSocket | None = None
    #: Who takes part; empty: all.
    servers: tuple[str, ...] = ()
    #: Whether nginx's `return 200` can stand beside it, as the floor.
    floor: bool = False
    #: Whether QUICK=1 measures it.
    quick: bool = False
    #: Whether the README shows it.
    readme: bool = False

    @property
    def unit(self) -> str:
        """What is counted."""
        if self.websocket:
            return "message"
        return "handshake" if self.tls and self.new_connections else "request"

    def values(self) -> dict[str, object]:
        """The load, for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "app": self.app,
            "interface": self.interface,
            "answer_bytes": len(self.answer),
            "connections": self.connections,
            "method": self.method,
            "body_bytes": len(self.body),
            "headers": len(self.headers),
            "pipelined": self.pipelined,
            "access_log": self.access_log,
            "tls": self.tls,
            "new_connections": self.new_connections,
            "workers": self.workers,
            "websocket": vars(self.websocket) if self.websocket else None,
        }


def plain(size: int) -> bytes:
    return b"x" * size


def post(name: str, title: str, app: str, body: bytes, answer: bytes = HELLO) -> Load:
    return Load(name, title, app, answer, method="POST", body=body)


def wsgi(name: str, title: str, app: str, body: bytes = b"") -> Load:
    """A load for those that call WSGI applications."""
    return Load(
        name,
        title,
        f"wsgi:{app}",
        method="POST" if body else "GET",
        body=body,
        interface="wsgi",
        servers=("smolcorn", "granian", "gunicorn"),
    )


def echo_load(
    name: str,
    title: str,
    talk: WebSocket,
    connections: int = 64,
    readme: bool = False,
) -> Load:
    """A WebSocket load whose messages come back."""
    return Load(
        name,
        title,
        "websocket:echo",
        connections=connections,
        websocket=talk,
        readme=readme,
    )


TEN = "plain:answer_10b"
LOADS = (
    Load("10b", "10-byte answer", TEN, floor=True, quick=True, readme=True),
    Load("1kb", "1 KB answer", "plain:answer_1kb", plain(KB), floor=True),
    Load(
        "10kb",
        "10 KB answer",
        "plain:answer_10kb",
        plain(10 * KB),
        quick=True,
        readme=True,
    ),
    Load("100kb", "100 KB answer", "plain:answer_100kb", plain(100 * KB), readme=True),
    post("post-1kb", "POST of 1 KB", "plain:read_body", plain(KB)),
    post("post-10kb", "POST of 10 KB", "plain:read_body", plain(10 * KB)),
    post("post-1mb", "POST of 1 MB", "plain:read_body", plain(MB)),
    post(
        "echo-10kb",
        "Streamed echo of 10 KB",
        "plain:echo",
        plain(10 * KB),
        plain(10 * KB),
    ),
    post(
        "echo-100kb",
        "Streamed echo of 100 KB",
        "plain:echo",
        plain(100 * KB),
        plain(100 * KB),
    ),
    Load(
        "chunks-20",
        "Answer streamed in 20 chunks",
        "plain:chunks",
        plain(2000),
        readme=True,
    ),
    Load("sleep-c512", "10 ms of sleep", "plain:sleep", connections=512),
    Load("file-50kb", "50 KB file", "plain:file", plain(50 * KB)),
    Load("fastapi", "FastAPI, JSON", "fastapi_app:app", ITEM, quick=True, readme=True),
    Load(
        "fastapi-body",
        "FastAPI, dependency and Pydantic body",
        "fastapi_app:app",
        RECEIPT,
        method="POST",
        path="/orders",
        body=ORDER,
        headers=(("content-type", "application/json"), ("x-buyer", "kim")),
        readme=True,
    ),
    Load(
        "starlette",
        "Starlette, two middlewares",
        "starlette_app:app",
        b'{"hello":"world"}',
    ),
    Load("django", "Django", "django_app:app", b'{"hello": "world"}', readme=True),
    wsgi("wsgi-10b", "WSGI, 10-byte answer", "answer_10b"),
    wsgi("wsgi-post-10kb", "WSGI, POST of 10 KB", "read_body", plain(10 * KB)),
    Load(
        "10b-c1",
        "10-byte answer",
        TEN,
        connections=1,
        floor=True,
        quick=True,
        readme=True,
    ),
    Load("10b-c8", "10-byte answer", TEN, connections=8, floor=True),
    Load("10b-c512", "10-byte answer", TEN, connections=512, floor=True),
    Load(
        "pipelined",
        "10-byte answer, 16 requests at once",
        TEN,
        pipelined=16,
        floor=True,
    ),
    Load(
        "10b-log",
        "10-byte answer, access log on",
        TEN,
        access_log=True,
        floor=True,
        readme=True,
    ),
    Load(
        "headers-30",
        "10-byte answer, 30 headers",
        TEN,
        headers=BROWSER_HEADERS,
        floor=True,
    ),
    Load(
        "10b-py",
        "10-byte answer, other Python",
        TEN,
        other_python=True,
        servers=MAIN_SERVERS,
    ),
    Load("workers-2", "10-byte answer, 2 workers", TEN, workers=2, floor=True),
    Load("tls", "10-byte answer over TLS", TEN, tls=True, floor=True, readme=True),
    Load(
        "tls-handshakes",
        "Full TLS handshakes",
        TEN,
        tls=True,
        new_connections=True,
        connections=8,
        floor=True,
    ),
    echo_load("ws-64b", "WebSocket echo, 64 B", WebSocket(64), readme=True),
    echo_load(
        "ws-64b-16", "WebSocket echo, 64 B, 16 in flight", WebSocket(64, in_flight=16)
    ),
    echo_load("ws-16kb", "WebSocket echo, 16 KB", WebSocket(16 * KB)),
    echo_load(
        "ws-16kb-16", "WebSocket echo, 16 KB, 16 in flight", WebSocket(16 * KB, 16)
    ),
    echo_load("ws-1mb", "WebSocket echo, 1 MB", WebSocket(MB)),
    # Not more connections: servers keep all that is in flight in their memory.
    echo_load("ws-1mb-16", "WebSocket echo, 1 MB, 16 in flight", WebSocket(MB, 16), 8),
    echo_load(
        "ws-deflate",
        "WebSocket echo, 16 KB compressed",
        WebSocket(16 * KB, deflate=True),
    ),
    Load(
        "ws-broadcast",
        "WebSocket broadcast, 64 B to each",
        "websocket:broadcast",
        connections=500,
        websocket=WebSocket(64, broadcast=True),
    ),
)
