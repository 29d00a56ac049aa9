"""Several requests sent before the first answer."""

import pytest

from conftest import BARE, Placement, Pool
from harness.server import Server


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get("apps.wire:app", *placement.options, *BARE)


@pytest.fixture
def slow_server(pool: Pool, placement: Placement) -> Server:
    return pool.get("apps.receive:app", *placement.options, *BARE)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def post(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


CHUNKED = b"POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize("count", [2, 50, 1000])
def test_answers_come_in_order(server: Server, count: int) -> None:
    with server.connect() as wire:
        wire.send(b"".join(get(f"/{number}") for number in range(count)))
        for number in range(count):
            assert wire.response().body == f"GET /{number}|/{number}||".encode()


def test_all_kinds_of_requests_in_a_row(server: Server) -> None:
    with server.connect() as wire:
        wire.send(
            get("/a")
            + post("/b", b"body")
            + CHUNKED
            + post("/unread", b"x" * 1000)
            + CHUNKED
            + get("/c")
        )
        answers = [wire.response().body for _ in range(6)]
    assert answers == [
        b"GET /a|/a||",
        b"POST /b|/b||body",
        b"POST /chunked|/chunked||abc",
        b"unread",
        b"POST /chunked|/chunked||abc",
        b"GET /c|/c||",
    ]


def test_head_among_others(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/a") + b"HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n" + get("/c"))
        assert wire.response().body == b"GET /a|/a||"
        assert wire.response(head_only=True).get(b"content-length") == b"12"
        assert wire.response().body == b"GET /c|/c||"


def test_a_slow_answer_is_not_overtaken(slow_server: Server) -> None:
    server, gate = slow_server, slow_server.ticket()
    with server.connect() as wire, server.connect() as opener:
        slow = f"/first-part-then-gate?ticket={gate}&gate={gate}"
        wire.send(
            f"POST {slow} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na".encode()
        )
        assert server.reported(gate) == "a"
        wire.send(b"b" + post("/echo", b"second") + post("/echo", b"third"))
        opener.send(get(f"/open?gate={gate}")).response()
        assert [wire.response().body for _ in range(3)] == [b"b 0", b"second", b"third"]


def test_nothing_is_served_behind_a_request_to_close(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/a") + get("/b", "Connection: close") + get("/c"))
        assert wire.response().body == b"GET /a|/a||"
        assert wire.response().body == b"GET /b|/b||"
        wire.expect_end()


def test_nothing_is_served_behind_http_1_0(server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"GET /a HTTP/1.0\r\n\r\n" + get("/b"))
        assert wire.response().body == b"GET /a|/a||"
        wire.expect_end()


def test_empty_lines_between_requests(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/a") + b"\r\n" + get("/b"))
        assert [wire.response().body for _ in range(2)] == [
            b"GET /a|/a||",
            b"GET /b|/b||",
        ]


def test_large_bodies_in_a_row(server: Server) -> None:
    with server.connect() as wire:
        bodies = [bytes([65 + number]) * 300_000 for number in range(5)]
        for body in bodies:
            wire.send(post("/p", body))
        for body in bodies:
            assert wire.response().body == b"POST /p|/p||" + body


def test_many_connections_each_with_many_requests(server: Server) -> None:
    wires = [server.connect() for _ in range(20)]
    for at, wire in enumerate(wires):
        wire.send(b"".join(get(f"/{at}/{number}") for number in range(50)))
    for at, wire in enumerate(wires):
        for number in range(50):
            assert (
                wire.response().body == f"GET /{at}/{number}|/{at}/{number}||".encode()
            )
        wire.close()


def test_more_requests_than_the_server_may_hold_at_once(server: Server) -> None:
    # The answers are not read before everything is sent: neither side may block the other for ever.
    count = 3000
    with server.connect() as wire:
        wire.send(b"".join(get(f"/{number}") for number in range(count)))
        for number in range(count):
            assert wire.response().body == f"GET /{number}|/{number}||".encode()
