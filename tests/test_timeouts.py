"""Clients that are too slow are given up; quick ones never notice."""

import pytest

from conftest import BARE, Placement, Pool
from harness.server import Server

LONG = "60"


def server_with(pool: Pool, placement: Placement, app: str, **seconds: str) -> Server:
    """A server of which one timeout is short and all others are long."""
    options = []
    for name in ("head", "keep_alive", "body", "write"):
        options += [f"--timeout-{name.replace('_', '-')}", seconds.get(name, LONG)]
    return pool.get(app, *placement.options, *BARE, *options)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(path: str, length: int, body: bytes = b"") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
        + body
    )


def is_timeout(raw: bytes) -> None:
    assert raw.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close\r\n" in raw


@pytest.fixture
def quick_head(pool: Pool, placement: Placement) -> Server:
    return server_with(pool, placement, "apps.wire:app", head="0.5")


@pytest.mark.parametrize(
    "piece", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b"]
)
def test_head_that_does_not_end(quick_head: Server, piece: bytes) -> None:
    with quick_head.connect() as wire:
        is_timeout(wire.send(piece).rest())


def test_head_that_trickles(quick_head: Server) -> None:
    with quick_head.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
        said = wire.send_slowly(b"v", pause_seconds=0.05)
        is_timeout(said)


def test_head_of_a_second_request(quick_head: Server) -> None:
    with quick_head.connect() as wire:
        assert wire.send(get("/a")).response().status == 200
        is_timeout(wire.send(b"GET / HT").rest())


def test_head_timeout_does_not_touch_the_rest(pool: Pool, placement: Placement) -> None:
    server = server_with(pool, placement, "apps.receive:app", head="0.5")
    with server.connect() as wire, server.connect() as other:
        ticket = server.ticket()
        wire.send(post(f"/first-part-then-gate?ticket={ticket}&gate={ticket}", 2, b"a"))
        assert server.reported(ticket) == "a"
        # By the time at which this one is given up, the first one would be too.
        is_timeout(other.send(b"G").rest())
        with server.connect() as opener:
            wire.send(b"b")
            opener.send(get(f"/open?gate={ticket}")).response()
        assert wire.response().body == b"b 0"


@pytest.fixture
def quick_idle(pool: Pool, placement: Placement) -> Server:
    return server_with(pool, placement, "apps.wire:app", keep_alive="1")


def test_connection_that_never_speaks(quick_idle: Server) -> None:
    with quick_idle.connect() as wire:
        wire.expect_end()
        assert not wire.was_reset


def test_connection_that_falls_silent(quick_idle: Server) -> None:
    with quick_idle.connect() as wire:
        assert wire.send(get("/a")).response().status == 200
        wire.expect_end()
        assert not wire.was_reset


def test_keep_alive_of_zero_closes_after_each_answer(
    pool: Pool, placement: Placement
) -> None:
    server = server_with(pool, placement, "apps.wire:app", keep_alive="0")
    with server.connect() as wire:
        assert wire.send(get("/a")).response().status == 200
        wire.expect_end()


def test_idle_timeout_does_not_touch_a_slow_answer(
    pool: Pool, placement: Placement
) -> None:
    server = server_with(pool, placement, "apps.receive:app", keep_alive="1")
    with server.connect() as wire:
        ticket = server.ticket()
        wire.send(
            post(f"/first-part-then-gate?ticket={ticket}&gate={ticket}", 4, b"ab")
        )
        assert server.reported(ticket) == "ab"
        wire.send(b"cd")
        with server.connect() as silent:
            # By the time at which this one is given up, the first one would be too.
            silent.expect_end()
        with server.connect() as opener:
            opener.send(get(f"/open?gate={ticket}")).response()
        assert wire.response().body == b"cd 0"


@pytest.fixture
def quick_body(pool: Pool, placement: Placement) -> Server:
    return server_with(pool, placement, "apps.wire:app", body="0.5")


@pytest.mark.parametrize("part", [b"", b"half"])
def test_body_that_does_not_come(quick_body: Server, part: bytes) -> None:
    ticket = quick_body.ticket()
    with quick_body.connect() as wire:
        is_timeout(wire.send(post(f"/body-fate?ticket={ticket}", 10, part)).rest())
    assert quick_body.reported(ticket) == "begun"
    assert quick_body.reported(ticket) == "disconnected"


def test_chunked_body_that_does_not_end(quick_body: Server) -> None:
    ticket = quick_body.ticket()
    with quick_body.connect() as wire:
        head = f"POST /body-fate?ticket={ticket} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        is_timeout(wire.send(head.encode() + b"5\r\nhello\r\n").rest())
    assert quick_body.reported(ticket) == "begun"
    assert quick_body.reported(ticket) == "disconnected"


def test_body_timeout_after_the_answer_has_begun(quick_body: Server) -> None:
    ticket = quick_body.ticket()
    with quick_body.connect() as wire:
        said = wire.send(post(f"/early?ticket={ticket}", 10, b"half")).rest()
        assert (
            said
            == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nearly\r\n"
        )
    assert quick_body.reported(ticket) == "disconnected"


def test_unread_body_that_does_not_come_ends_the_connection(quick_body: Server) -> None:
    with quick_body.connect() as wire:
        assert wire.send(post("/unread", 10, b"half")).response().body == b"unread"
        assert b"200 OK" not in wire.rest()


@pytest.fixture
def quick_write(pool: Pool, placement: Placement) -> Server:
    return server_with(pool, placement, "apps.streams:app", write="0.5")


def test_reader_that_stops(quick_write: Server) -> None:
    ticket = quick_write.ticket()
    with quick_write.connect(receive_buffer=4096) as wire:
        wire.send(get(f"/endless?swallow&ticket={ticket}"))
        assert quick_write.reported(ticket) == "started"
        # The application is told, though nobody has closed anything.
        assert quick_write.reported(ticket)[1] is True
        wire.rest()


def test_quick_clients_are_not_touched(pool: Pool, placement: Placement) -> None:
    server = server_with(
        pool,
        placement,
        "apps.streams:app",
        head="5",
        keep_alive="5",
        body="5",
        write="5",
    )
    for _ in range(3):
        with server.connect() as wire:
            for _ in range(20):
                wire.send(post("/echo", 4, b"bo")).send(b"dy")
                assert wire.response().body == b"body"
            wire.send(get("/download?chunks=50"))
            assert len(wire.response().body) == 50 * 65_536
