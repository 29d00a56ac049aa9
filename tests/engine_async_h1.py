"""The engine async-h1 in a whole server: that it is the one that answers, and its limits.

Needs a program that has the engine and uses it, so it runs only when it is named:
`make test-async-h1` does, beside tests that every engine passes.
"""

import re
from pathlib import Path

import pytest

from conftest import BARE, Placement, Pool, Start
from harness.server import Server
from harness.wire import Wire

APP = "apps.responses:app"
ENGINE = ("--http", "async-h1")


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, *BARE, *ENGINE)


def get(path: str, *headers: str, version: str = "1.1", method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def test_headers_are_sorted_and_none_is_made_up(server: Server) -> None:
    with server.connect() as wire:
        for path, expected in (
            (
                "/plain",
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok",
            ),
            (
                "/own-chunked",
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n",
            ),
        ):
            assert wire.send(get(path)).response().raw == expected


def test_date_and_server(pool: Pool, placement: Placement) -> None:
    server = pool.get(APP, *placement.options, *ENGINE)
    with server.connect() as wire:
        raw = wire.send(get("/plain")).response().raw
        assert re.fullmatch(
            rb"HTTP/1\.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n"
            rb"date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nserver: smolcorn\r\n\r\nok",
            raw,
        )


def refusal(wire: Wire, status: int) -> None:
    """Fails unless that is the answer, and the end."""
    response = wire.response()
    assert response.status == status
    assert response.get(b"connection") == b"close"
    wire.expect_end()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(get("/plain", version="1.0"), 505, id="version"),
        pytest.param(get("/plain", method="PURGE"), 501, id="method"),
        pytest.param(get("*", method="OPTIONS"), 501, id="asterisk"),
        pytest.param(get("/plain", "X: \xe4"), 400, id="latin-1"),
        pytest.param(get("/plain", "X: \xc3\xa4"), 400, id="utf-8"),
        pytest.param(get("/plain", "X: " + "x" * 8192), 431, id="size"),
        pytest.param(get("/plain", *["X: y"] * 128), 431, id="count"),
    ],
)
def test_requests_beyond_the_limits(
    server: Server, request_bytes: bytes, status: int
) -> None:
    with server.connect() as wire:
        wire.send(request_bytes)
        refusal(wire, status)


def test_responses_beyond_the_limits(server: Server) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        wire.send(get("/status?code=299"))
        refusal(wire, 500)
    server.stderr.wait_for("The HTTP engine cannot send this response", start=before)


def test_no_thread_is_started(start: Start) -> None:
    """The crate has an executor and a reactor of its own; neither must run."""
    server = start(APP, "--io-threads", "0", "--loop", "asyncio", *ENGINE)
    with server.connect() as wire:
        wire.send(get("/plain", "Expect: 100-continue", "Content-Length: 2"))
        assert wire.response().status == 200
    threads = Path(f"/proc/{server.pid}/task").iterdir()
    names = [(thread / "comm").read_text() for thread in threads]
    assert not [name for name in names if name.startswith("async-")], names
