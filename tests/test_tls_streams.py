"""Bodies over TLS: whole, in constant memory, with slow and vanishing clients."""

import hashlib
import os
import select
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import BARE, Placement, Pool, Start
from harness.certificates import Authority, Issued
from harness.server import Server
from harness.wire import TlsWire, Wire

MIB = 1024 * 1024
MEMORY_MAX_MIB = 100
# What may be on its way in the kernel and in the server together, when nobody reads.
IN_FLIGHT_MAX_BYTES = 32 * MIB
PIECE = bytes(MIB)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def server(start: Start, placement: Placement, issued: Issued) -> Iterator[Server]:
    """A server of the test's own, whose memory is looked at when the test is over."""
    server = start("apps.streams:app", *placement.options, *BARE, *issued.options)
    yield server
    assert server.memory_peak_mib() < MEMORY_MAX_MIB


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def drain(wire: Wire, size: int) -> None:
    """Reads `size` bytes and forgets them."""
    buffer = memoryview(bytearray(MIB))
    while size:
        count = wire.socket.recv_into(buffer, min(size, len(buffer)))
        assert count, f"end with {size} bytes to come"
        size -= count


def still_serves(wire: Wire) -> bool:
    wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok")
    return wire.response().body == b"ok"


@pytest.mark.parametrize("version", VERSIONS)
def test_upload_of_256_mib(
    server: Server, authority: Authority, version: ssl.TLSVersion
) -> None:
    size = 256 * MIB
    context = authority.context(minimum_version=version, maximum_version=version)
    with server.connect_tls(context) as wire:
        head = f"POST /count-body HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        wire.send(head.encode())
        for _ in range(size // len(PIECE)):
            wire.send(PIECE)
        assert wire.response().body == b"%d" % size
        assert still_serves(wire)


@pytest.mark.parametrize("version", VERSIONS)
def test_download_of_256_mib(
    server: Server, authority: Authority, version: ssl.TLSVersion
) -> None:
    size = 256 * MIB
    context = authority.context(minimum_version=version, maximum_version=version)
    with server.connect_tls(context) as wire:
        wire.send(get(f"/download?chunks={size // 65_536}"))
        wire.until(b"\r\n\r\n")
        drain(wire, size - len(wire.take_buffered()))
        assert still_serves(wire)


def test_upload_comes_back_as_it_was(server: Server, authority: Authority) -> None:
    data = os.urandom(3 * MIB + 12_345)
    with server.connect_tls(authority.context()) as wire:
        head = f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        response = wire.send(head.encode() + data).response()
        assert hashlib.sha256(response.body).digest() == hashlib.sha256(data).digest()
        assert still_serves(wire)


def test_slow_reader_stops_the_application(
    server: Server, authority: Authority
) -> None:
    chunks = 2048
    ticket = server.ticket()
    with server.connect_tls(authority.context(), receive_buffer=65_536) as wire:
        wire.send(get(f"/download?chunks={chunks}&ticket={ticket}"))
        assert 0 < server.reported(ticket) < IN_FLIGHT_MAX_BYTES
        wire.until(b"\r\n\r\n")
        drain(wire, chunks * 65_536 - len(wire.take_buffered()))
        assert still_serves(wire)


def test_application_that_does_not_read_stops_the_client(
    server: Server, authority: Authority
) -> None:
    size = 128 * MIB
    ticket = server.ticket()
    context = authority.context()
    with server.connect_tls(context) as wire, server.connect_tls(context) as opener:
        path = f"/gated-count-body?ticket={ticket}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        wire.send(head.encode())
        assert server.reported(ticket) == "waiting"
        sent = send_until_blocked(wire, size)
        assert 0 < sent < IN_FLIGHT_MAX_BYTES
        opener.send(get(f"/open?ticket={ticket}")).response()
        while sent < size:
            # The same piece again: a write that has been tried must be tried as it was.
            piece = PIECE[: min(size - sent, 16_384)]
            wire.send(piece)
            sent += len(piece)
        assert wire.response().body == b"%d" % size


def send_until_blocked(wire: TlsWire, size: int) -> int:
    """Sends zeros until nothing is taken any more for a while; returns how many went out."""
    sent = 0
    wire.socket.setblocking(False)
    while sent < size and select.select([], [wire.socket], [], 0.5)[1]:
        try:
            sent += wire.socket.send(PIECE[: min(size - sent, 16_384)])
        except ssl.SSLWantWriteError:
            pass
    return sent


def test_client_that_vanishes_is_noticed(server: Server, authority: Authority) -> None:
    for resets in (True, False):
        ticket = server.ticket()
        with server.connect_tls(authority.context()) as wire:
            wire.send(get(f"/endless?ticket={ticket}"))
            wire.until(b"first")
            assert server.reported(ticket) == "started"
            if resets:
                wire.reset()
        assert server.reported(ticket) == ["ClientDisconnected", True]


def test_client_that_takes_nothing_is_reset(
    start: Start, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = start(
        "apps.streams:app",
        *placement.options,
        *issued.options,
        "--timeout-write",
        "0.5",
    )
    ticket = server.ticket()
    with server.connect_tls(authority.context(), receive_buffer=4096) as wire:
        wire.send(get(f"/endless?ticket={ticket}"))
        wire.until(b"first")
        assert server.reported(ticket) == "started"
        assert server.reported(ticket) == ["ClientDisconnected", True]
        wire.rest()
        assert wire.was_reset or wire.was_truncated


def test_client_that_takes_little_by_little_is_not_reset(
    start: Start, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = start(
        "apps.streams:app",
        *placement.options,
        *BARE,
        *issued.options,
        "--timeout-write",
        "2",
    )
    size = 512 * 65_536
    with server.connect_tls(authority.context(), receive_buffer=65_536) as wire:
        wire.send(get("/download?chunks=512"))
        wire.until(b"\r\n\r\n")
        left = size - len(wire.take_buffered())
        while left:
            step = min(left, MIB)
            drain(wire, step)
            left -= step
            select.select([], [], [], 0.05)
        assert still_serves(wire)


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [0, 1, 16_384, 65_536, 65_537, 20 * MIB])
def test_file_arrives_whole(
    pool: Pool,
    placement: Placement,
    issued: Issued,
    authority: Authority,
    tmp_path: Path,
    size: int,
    version: ssl.TLSVersion,
) -> None:
    server = pool.get("apps.extensions:app", *placement.options, *BARE, *issued.options)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    context = authority.context(minimum_version=version, maximum_version=version)
    with server.connect_tls(context) as wire:
        for _ in range(2):
            response = wire.send(get(f"/file?path={path}")).response()
            assert (response.status, len(response.body)) == (200, size)
            digest = hashlib.sha256(response.body).digest()
            assert digest == hashlib.sha256(path.read_bytes()).digest()


def test_slow_reader_of_a_file(
    pool: Pool,
    placement: Placement,
    issued: Issued,
    authority: Authority,
    tmp_path: Path,
) -> None:
    server = pool.get("apps.extensions:app", *placement.options, *BARE, *issued.options)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(30 * MIB))
    with server.connect_tls(authority.context(), receive_buffer=4096) as slow:
        slow.send(get(f"/file?path={path}"))
        slow.until(b"\r\n\r\n")
        with server.connect_tls(authority.context()) as other:
            other.send(
                b"POST /debug HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
            )
            assert other.response().body == b"ok"
        body = slow.take_buffered()
        body += slow.body_piece(30 * MIB - len(body))
        assert (
            hashlib.sha256(body).digest() == hashlib.sha256(path.read_bytes()).digest()
        )
