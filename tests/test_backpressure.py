"""Bodies of any size in constant memory, in both directions."""

import select
from collections.abc import Iterator

import pytest

from conftest import BARE, Placement, Start
from harness.server import Server
from harness.wire import Wire

GIB = 1024 * 1024 * 1024
MEMORY_MAX_MIB = 100
# What may be on its way in the kernel and in the server together, when nobody reads.
IN_FLIGHT_MAX_BYTES = 32 * 1024 * 1024
PIECE = bytes(1024 * 1024)


@pytest.fixture
def server(start: Start, placement: Placement) -> Iterator[Server]:
    """A server of the test's own, whose memory is looked at when the test is over."""
    server = start("apps.streams:app", *placement.options, *BARE)
    yield server
    assert server.memory_peak_mib() < MEMORY_MAX_MIB


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def drain(wire: Wire, size: int) -> None:
    """Reads `size` bytes and forgets them."""
    buffer = memoryview(bytearray(1024 * 1024))
    while size:
        count = wire.socket.recv_into(buffer, min(size, len(buffer)))
        assert count, f"end with {size} bytes to come"
        size -= count


@pytest.mark.slow
def test_upload_of_2_gib(server: Server) -> None:
    with server.connect() as wire:
        wire.send(
            f"POST /count-body HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * GIB}\r\n\r\n".encode()
        )
        for _ in range(2 * GIB // len(PIECE)):
            wire.send(PIECE)
        assert wire.response().body == b"%d" % (2 * GIB)


@pytest.mark.slow
def test_chunked_upload_of_256_mib(server: Server) -> None:
    size = GIB // 4
    with server.connect() as wire:
        wire.send(
            b"POST /count-body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(size // len(PIECE)):
            wire.send(b"%x\r\n" % len(PIECE) + PIECE + b"\r\n")
        assert wire.send(b"0\r\n\r\n").response().body == b"%d" % size


@pytest.mark.slow
def test_download_of_2_gib(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get(f"/download?chunks={2 * GIB // 65_536}"))
        wire.until(b"\r\n\r\n")
        drain(wire, 2 * GIB - len(wire.take_buffered()))
        assert (
            wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok")
            .response()
            .body
            == b"ok"
        )


def test_slow_reader_stops_the_application(server: Server) -> None:
    chunks = 4096
    ticket = server.ticket()
    with server.connect(receive_buffer=65_536) as wire:
        wire.send(get(f"/download?chunks={chunks}&ticket={ticket}"))
        assert 0 < server.reported(ticket) < IN_FLIGHT_MAX_BYTES
        wire.until(b"\r\n\r\n")
        drain(wire, chunks * 65_536 - len(wire.take_buffered()))
        assert wire.send(get("/open?ticket=none")).response().body == b"open"


def test_slow_readers_do_not_stop_each_other(server: Server) -> None:
    ticket = server.ticket()
    slow = [server.connect(receive_buffer=4096) for _ in range(5)]
    for wire in slow:
        wire.send(get(f"/download?chunks=4096&ticket={ticket}"))
    for _ in slow:
        server.reported(ticket)
    with server.connect() as wire:
        assert wire.send(get("/open?ticket=none")).response().body == b"open"
    for wire in slow:
        wire.reset()


def test_application_that_does_not_read_stops_the_client(server: Server) -> None:
    size = 256 * len(PIECE)
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as opener:
        path = f"/gated-count-body?ticket={ticket}"
        wire.send(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        assert server.reported(ticket) == "waiting"
        sent = send_until_blocked(wire, size)
        assert 0 < sent < IN_FLIGHT_MAX_BYTES
        opener.send(get(f"/open?ticket={ticket}")).response()
        while sent < size:
            piece = PIECE[: size - sent]
            wire.send(piece)
            sent += len(piece)
        assert wire.response().body == b"%d" % size


def send_until_blocked(wire: Wire, size: int) -> int:
    """Sends zeros until nothing is taken any more for a while; returns how many went out."""
    sent = 0
    wire.socket.setblocking(False)
    while sent < size and select.select([], [wire.socket], [], 0.5)[1]:
        sent += wire.socket.send(PIECE[: size - sent])
    return sent
