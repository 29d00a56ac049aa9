"""Limits of WebSockets, backpressure both ways, pings, and what a shutdown does to them."""

import re
import signal
import socket as sockets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Placement, Pool, Start
from harness import ws
from harness.server import Server

APP = "apps.sockets:app"
NO_PINGS = ("--ws-ping-interval", "0")


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options)


def open_gate(server: Server, name: str) -> None:
    with server.connect() as wire:
        wire.send(f"GET /?gate={name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert wire.response().body == b"open"


def disconnect(code: int, reason: str = "") -> dict[str, Any]:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


def fill(connection: sockets.socket, data: bytes, seconds: float = 1.0) -> int:
    """Sends `data` again and again until nothing has been taken for a while."""
    connection.settimeout(seconds)
    sent = 0
    try:
        while sent < 400 * 2**20:
            sent += connection.send(data)
    except TimeoutError:
        return sent
    raise AssertionError("the server takes everything")


# --- Size -------------------------------------------------------------------------------------


@pytest.fixture
def small(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, "--ws-max-size", "1000")


def test_message_of_the_largest_size(small: Server) -> None:
    with ws.connect(small, "/echo") as socket:
        assert socket.ask("x" * 1000) == "x" * 1000
        socket.send(
            ws.frame(ws.TEXT, b"y" * 600, final=False)
            + ws.frame(ws.CONTINUATION, b"y" * 400)
        )
        assert socket.text() == "y" * 1000


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (
            ws.frame(ws.BINARY, length=1001),
            "frame with 1001 bytes exceeds limit of 1000 bytes",
        ),
        (
            ws.frame(ws.TEXT, b"y" * 600, final=False)
            + ws.frame(ws.CONTINUATION, length=600),
            "frame with 600 bytes after reading 600 bytes exceeds limit of 1000 bytes",
        ),
        (
            ws.frame(ws.BINARY, length=2**62),
            f"frame with {2**62} bytes exceeds limit of 1000 bytes",
        ),
    ],
    ids=["frame", "fragments", "huge"],
)
def test_message_that_is_too_large(small: Server, sent: bytes, reason: str) -> None:
    ticket = small.ticket()
    with ws.connect(small, f"/gone?ticket={ticket}") as socket:
        socket.send(sent)
        socket.expect_end(1009, reason)
    assert small.reported(ticket) == disconnect(1009, reason)


# --- Compression ------------------------------------------------------------------------------


def test_compression_is_agreed_on(server: Server) -> None:
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    with ws.connect(server, "/echo", offer) as socket:
        answer = dict(socket.headers)[b"Sec-WebSocket-Extensions"]
        assert answer == (
            b"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        )
        long = "all work and no play makes Jack a dull boy. " * 100
        frame = socket.say(long).read()
        assert frame.compressed and len(frame.payload) < 500
        frame = socket.say("short").read()
        assert not frame.compressed and frame.payload == b"short"


def test_compression_can_be_declined(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--ws-per-message-deflate", "false")
    offer = b"Sec-WebSocket-Extensions: permessage-deflate"
    with ws.connect(server, "/echo", offer) as socket:
        assert b"Sec-WebSocket-Extensions" not in dict(socket.headers)
        frame = socket.say("a" * 10_000).read()
        assert not frame.compressed


def test_bomb_stops_at_the_limit(small: Server) -> None:
    import zlib

    deflate = zlib.compressobj(9, wbits=-12)
    bomb = deflate.compress(b"\0" * 10_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) > 1000
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    for piece in (bomb[:-4], bomb[:900]):
        with ws.connect(small, "/echo", offer) as socket:
            socket.send(ws.frame(ws.BINARY, piece, reserved=4))
            frame = socket.read()
            assert (frame.opcode, frame.payload[:2]) == (ws.CLOSE, b"\x03\xf1")


# --- Backpressure -----------------------------------------------------------------------------


def test_reading_stops_when_the_application_is_behind(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/slow?ticket={ticket}") as socket:
        assert server.reported(ticket) == "waiting"
        message = ws.frame(ws.BINARY, b"x" * 65536)
        sent = fill(socket.wire.socket, message)
        open_gate(server, ticket)
        # The last frame is in pieces: one more makes it whole, or adds to it.
        rest = -sent % len(message)
        socket.send(message[len(message) - rest :] if rest else b"")
        socket.send(ws.close(1000))
        count = (sent + rest) // len(message)
        assert server.reported(ticket) == [count, count * 65536]
        assert socket.read() == ws.closing(1000)


def test_queue_is_counted_in_messages(start: Start, placement: Placement) -> None:
    server = start(
        APP, *placement.options, "--ws-max-queue", "2", "--log-level", "trace"
    )
    ticket = server.ticket()
    with ws.connect(server, f"/slow?stop=10&ticket={ticket}") as socket:
        assert server.reported(ticket) == "waiting"
        socket.send(b"".join(ws.text(str(number)) for number in range(10)))
        arrived = "connection#1 -> dispatch: text #1, 1 bytes"
        server.stderr.wait_for(f"{arrived}(.|\n)*{arrived}")
        # Time for more, if more were to come.
        with ws.connect(server, "/echo") as other:
            assert other.ask("there") == "there"
        assert server.stderr.text.count(arrived) == 2
        open_gate(server, ticket)
        assert server.reported(ticket) == [10, 10]


@pytest.mark.parametrize("size", [100, 65536, 1_000_000])
def test_send_waits_for_a_slow_client(server: Server, size: int) -> None:
    ticket = server.ticket()
    wire = server.connect(receive_buffer=4096)
    wire.send(ws.handshake(f"/flood?size={size}&ticket={ticket}"))
    wire.until(b"\r\n\r\n")
    assert server.reported(ticket) * size < 100 * 2**20
    wire.close()
    assert server.reported(ticket) == "ClientDisconnected"


def test_empty_messages_wait_as_well(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/flood-of-nothing?ticket={ticket}"):
        assert 0 < server.reported(ticket) < 10_000


def test_sender_goes_on_when_the_client_reads_again(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/flood?size=50000&ticket={ticket}") as socket:
        waited_at = server.reported(ticket)
        for _ in range(waited_at + 20):
            assert len(socket.read().payload) == 50_000


def test_large_messages_both_ways_at_once(server: Server) -> None:
    """The server reads on while it waits to write, as long as the application does."""
    payload = b"p" * 5_000_000
    with ws.connect(server, "/echo") as socket:
        for _ in range(3):
            socket.send(ws.frame(ws.BINARY, payload))
            assert socket.read() == ws.Frame(ws.BINARY, payload)


# --- Pings ------------------------------------------------------------------------------------


def test_pings_come_and_a_dead_client_is_noticed(
    start: Start, placement: Placement
) -> None:
    options = ("--ws-ping-interval", "0.2", "--ws-ping-timeout", "0.3")
    server = start(APP, *placement.options, *options)
    ticket = server.ticket()
    with ws.connect(server, f"/gone?ticket={ticket}") as socket:
        payloads = set()
        for _ in range(3):
            ping = socket.read()
            assert (ping.opcode, len(ping.payload)) == (ws.PING, 4)
            payloads.add(ping.payload)
            socket.send(ws.frame(ws.PONG, ping.payload))
        assert len(payloads) == 3
        # From now on nothing is answered.
        while (frame := socket.read()).opcode == ws.PING:
            pass
        assert frame == ws.closing(1011, "keepalive ping timeout")
        socket.wire.expect_end()
    assert server.reported(ticket) == disconnect(1011, "keepalive ping timeout")


def test_busy_application_is_no_dead_client(start: Start) -> None:
    """With threads, pings come and pongs are seen while the application holds the loop."""
    server = start(
        APP,
        "--io-threads",
        "1",
        "--ws-ping-interval",
        "0.1",
        "--ws-ping-timeout",
        "0.3",
    )
    ticket = server.ticket()
    with ws.connect(server, f"/busy?ticket={ticket}") as socket:
        socket.say("1.5")
        pings = 0
        while (frame := socket.read()).opcode == ws.PING:
            pings += 1
            socket.send(ws.frame(ws.PONG, frame.payload))
        assert frame.payload == b"awake"
        assert pings > 3
        socket.send(ws.close(1000))
    assert server.reported(ticket) == disconnect(1000)


def test_loop_that_was_busy_is_no_dead_client(start: Start) -> None:
    """Fused, a pong that came in time counts, however late it is read."""
    server = start(
        APP,
        "--io-threads",
        "0",
        "--ws-ping-interval",
        "0.1",
        "--ws-ping-timeout",
        "0.2",
    )
    with ws.connect(server, "/busy") as socket:
        ping = socket.read()
        socket.send(ws.text("1") + ws.frame(ws.PONG, ping.payload))
        while (frame := socket.read()).opcode == ws.PING:
            socket.send(ws.frame(ws.PONG, frame.payload))
        assert frame.payload == b"awake"


# --- Shutdown ---------------------------------------------------------------------------------


def test_shutdown_says_1012_to_both(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    ticket = server.ticket()
    with ws.connect(server, f"/stay?ticket={ticket}") as socket:
        assert server.reported(ticket) == "open"
        server.signal(signal.SIGTERM)
        assert socket.read() == ws.closing(1012)
        assert server.reported(ticket) == disconnect(1012)
        # The peer has time to answer, and the server waits for it.
        socket.send(ws.close(1012))
        socket.wire.expect_end()
    assert server.wait() == -signal.SIGTERM
    assert "ERROR" not in server.stderr.text


def test_shutdown_cancels_what_does_not_end(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--timeout-graceful-shutdown", "1")
    ticket = server.ticket()
    with ws.connect(server, f"/stay?linger&ticket={ticket}") as socket:
        assert server.reported(ticket) == "open"
        server.signal(signal.SIGINT)
        assert socket.read() == ws.closing(1012)
        socket.send(ws.close(1012))
        assert server.reported(ticket) == disconnect(1012)
        assert server.reported(ticket) == "cancelled"
    assert server.wait() == 0
    assert "Cancel 1 running task(s), timeout graceful shutdown exceeded" in (
        server.stderr.text
    )


def test_shutdown_during_a_handshake(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--timeout-graceful-shutdown", "1")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(ws.handshake(f"/before-accept?how=wait&ticket={ticket}"))
        assert server.reported(ticket) == "waiting"
        server.signal(signal.SIGINT)
        assert server.reported(ticket) == disconnect(1012)
        assert server.reported(ticket)[0] == "ClientDisconnected"
        assert wire.response().status == 500
    assert server.wait() == 0


def test_websockets_are_not_counted_as_requests(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options, "--limit-max-requests", "2")
    with server.connect() as wire:
        assert wire.send(ws.handshake("/deny-half?how=raises")).response().status == 500
    for _ in range(3):
        with ws.connect(server, "/echo") as socket:
            assert socket.ask("a") == "a"
            socket.send(ws.close(1000))
            assert socket.read() == ws.closing(1000)
    open_gate(server, "one")
    open_gate(server, "two")
    assert server.wait() == 0


def test_limit_on_concurrency_counts_but_does_not_hold_for_them(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options, "--limit-concurrency", "2")
    first, second, third = (ws.connect(server, "/echo") for _ in range(3))
    with server.connect() as wire:
        wire.send(b"GET /?gate=x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.response().status == 503
    assert third.ask("served") == "served"
    for socket in (first, second, third):
        socket.wire.close()


# --- Many -------------------------------------------------------------------------------------

COUNT = 2000


def resident_kib(server: Server) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_thousands_of_idle_sockets(start: Start) -> None:
    """All of them together, the application's tasks and Python objects included, stay small."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < COUNT + 500:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        server = start(APP, *NO_PINGS)
        warm = [ws.connect(server, "/idle") for _ in range(100)]
        before = resident_kib(server)
        idle = [ws.connect(server, "/idle") for _ in range(COUNT)]
        grown = resident_kib(server) - before
        print(f"{grown / COUNT:.1f} KiB each")
        for socket in warm + idle:
            socket.wire.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert grown / COUNT < 12
    with ws.connect(server, "/echo") as socket:
        assert socket.ask("still") == "still"


# --- What is left behind ----------------------------------------------------------------------

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate"


def talked(server: Server) -> None:
    """WebSockets that end well."""
    for _ in range(20):
        with ws.connect(server, "/echo", DEFLATE) as socket:
            socket.say("text " * 1000).read()
            socket.send(ws.frame(ws.BINARY, bytes(100_000))).read()
            socket.send(ws.close(1000))
            assert socket.read() == ws.closing(1000)


def left_alone(server: Server) -> None:
    """WebSockets that break off, while the server has much to say and more to read."""
    for _ in range(20):
        wire = server.connect()
        wire.send(ws.handshake("/endless") + ws.text("unread" * 1000) * 10)
        wire.until(b"\r\n\r\n")
        wire.body_piece(100_000)
        wire.reset()


def denied(server: Server) -> None:
    for _ in range(100):
        with server.connect() as wire:
            assert wire.send(ws.handshake("/no")).response().status == 403


@pytest.mark.parametrize("way", [talked, left_alone, denied])
def test_memory_stays(
    start: Start, placement: Placement, way: Callable[[Server], None]
) -> None:
    server = start(APP, *placement.options)
    for _ in range(10):
        way(server)
    talked(server)
    before = server.memory_mib()
    for _ in range(10):
        way(server)
    talked(server)
    assert server.memory_mib() - before < 6
