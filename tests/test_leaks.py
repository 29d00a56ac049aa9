"""What is over leaves nothing behind: memory after many requests and connections."""

from collections.abc import Callable

import pytest

from conftest import BARE, Placement, Start
from harness.server import Server

APP = "apps.streams:app"
GROWTH_MAX_MIB = 6.0
ROUNDS = 40
GET = b"GET /open?ticket=none HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)


def keep_alive(server: Server) -> None:
    """Many requests on one connection."""
    with server.connect() as wire:
        for _ in range(10):
            wire.send((GET + POST) * 25)
            for _ in range(50):
                assert wire.response().status == 200


def answered(server: Server) -> None:
    """Lets the server catch up: what is waiting is not what is left behind."""
    with server.connect() as wire:
        assert wire.send(POST).response().status == 200


def one_by_one(server: Server) -> None:
    """A connection for each request."""
    for _ in range(100):
        with server.connect() as wire:
            assert wire.send(POST).response().status == 200


def refused(server: Server) -> None:
    for _ in range(100):
        with server.connect() as wire:
            wire.send(b"bad\r\n\r\n").rest()


def left_alone(server: Server) -> None:
    """Clients that leave in the middle of an answer of some megabytes."""
    for _ in range(20):
        wire = server.connect()
        wire.send(b"GET /download?chunks=100 HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.until(b"\r\n\r\n")
        wire.reset()
    answered(server)


def half_sent(server: Server) -> None:
    """Clients that leave in the middle of a request."""
    for _ in range(100):
        server.connect().send(POST[:-10]).reset()
    answered(server)


@pytest.mark.parametrize(
    "way", [keep_alive, one_by_one, refused, left_alone, half_sent]
)
def test_memory_stays(
    start: Start, placement: Placement, way: Callable[[Server], None]
) -> None:
    server = start(APP, *placement.options, *BARE)
    for _ in range(ROUNDS):
        way(server)
    before = server.memory_mib()
    for _ in range(ROUNDS):
        way(server)
    one_by_one(server)
    assert server.memory_mib() - before < GROWTH_MAX_MIB


def test_cancelled_calls_of_receive_leave_nothing_behind(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options, *BARE)
    with server.connect() as wire:
        wire.send(b"GET /polls HTTP/1.1\r\nHost: x\r\n\r\n")
        grown_kib = int(wire.response().body)
    assert grown_kib < GROWTH_MAX_MIB * 1024


def test_a_body_is_let_go_of_when_it_is_written(
    start: Start, placement: Placement
) -> None:
    # Nothing else happens on the connection that would make the server look.
    server = start(APP, *placement.options, "--timeout-keep-alive", "1000")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(f"GET /lent?ticket={ticket} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert len(wire.response().body) == 300_000
        assert server.reported(ticket) == "released"
