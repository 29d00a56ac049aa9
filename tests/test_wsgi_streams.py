"""WSGI: bodies of any size, clients that are slow, and clients that leave."""

import ast
import threading

import pytest

from conftest import BARE, Placement, Pool, Start
from harness.server import Server
from harness.wire import Wire

APP = "apps.wsgi:app"
MIB = 1024 * 1024
MEMORY_MAX_MIB = 100
# What may be on its way in the kernel and in the server together, when nobody reads.
IN_FLIGHT_MAX_BYTES = 32 * MIB
LINES = b"one\ntwo\nthree\n\nfour\nfive\nsix\nseven"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, *BARE)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(path: str, length: int, *headers: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in (f"Content-Length: {length}", *headers))
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def drain(wire: Wire, size: int) -> None:
    """Reads `size` bytes and forgets them."""
    buffer = memoryview(bytearray(MIB))
    while size:
        count = wire.socket.recv_into(buffer, min(size, len(buffer)))
        assert count, f"end with {size} bytes to come"
        size -= count


# --- wsgi.input -------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 7, len(LINES)])
def test_ways_to_read(server: Server, pieces: int) -> None:
    step = len(LINES) // pieces
    with server.connect() as wire:
        wire.send(post("/ways-to-read", len(LINES)))
        for at in range(0, len(LINES), step):
            wire.send(LINES[at : at + step])
        seen = ast.literal_eval(wire.response().body.decode())
    assert seen == [
        b"one",
        b"",
        b"\n",
        b"tw",
        b"o\n",
        [b"three\n"],
        b"\n",
        b"four\n",
        b"five\n",
        b"six\n",
        b"seven",
        b"",
        b"",
        b"",
        [],
    ]


def test_a_chunked_body(server: Server) -> None:
    with server.connect() as wire:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.send(head + chunked(b"abc", b"de"))
        assert wire.response().body == b"abcde"
        wire.send(head)
        for byte in chunked(b"abc", b"de"):
            wire.send(bytes([byte]))
        assert wire.response().body == b"abcde"


def test_no_body(server: Server) -> None:
    with server.connect() as wire:
        assert wire.send(get("/echo")).response().body == b""
        assert wire.send(post("/echo", 0)).response().body == b""


def test_a_wrong_size(server: Server) -> None:
    with server.connect() as wire:
        body = wire.send(get("/read-wrongly")).response().body
    # A body that is not there is asked for in the same words.
    assert body == b"A size must be an int or None, not 'many'."


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("bytes", [b"o", b"one", b"\n", b"two\nthree\n\nfour\nfive\nsix\nseven"]),
        (
            "text",
            ["one\n", "two\n", "three\n", "\n", "four\n", "five\n", "six\n", "seven"],
        ),
        ("refused", ["TypeError", "TypeError", "TypeError", LINES]),
    ],
)
@pytest.mark.parametrize("pieces", [1, len(LINES)])
def test_files_around_the_body(
    server: Server, kind: str, seen: list[str | bytes], pieces: int
) -> None:
    step = len(LINES) // pieces
    with server.connect() as wire:
        wire.send(post(f"/buffered?kind={kind}", len(LINES)))
        for at in range(0, len(LINES), step):
            wire.send(LINES[at : at + step])
        assert ast.literal_eval(wire.response().body.decode()) == seen


def test_a_body_into_buffers(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/buffered?kind=into", 13) + b"0123456789abc")
        seen = ast.literal_eval(wire.response().body.decode())
        assert seen == [0, 5, b"01234", 6, b"56789a", 2, b"bc234", 0]
        # There is none.
        wire.send(get("/buffered?kind=text"))
        assert wire.response().body == b"['']"


def test_a_buffer_gets_what_is_there(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/one-piece?ticket={ticket}", 10) + b"half")
        assert server.reported(ticket) == "half"
        assert wire.send(b" of it").response().body == b" of it"


def test_a_body_that_is_not_read(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/", 100_000) + bytes(100_000))
        assert wire.response().body == b"hello"
        assert wire.send(get("/")).response().body == b"hello"


def test_100_continue(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/echo", 3, "Expect: 100-continue"))
        assert wire.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert wire.send(b"abc").response().body == b"abc"
        # Who does not ask for the body does not get it.
        wire.send(post("/", 3, "Expect: 100-continue"))
        response = wire.response()
        assert response.status == 200 and response.get(b"connection") == b"close"


# --- Constant memory --------------------------------------------------------------------------


@pytest.mark.slow
def test_uploads_in_constant_memory(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, *BARE)
    size, piece = 512 * MIB, bytes(MIB)
    with server.connect() as wire:
        wire.send(post("/count", size))
        for _ in range(size // MIB):
            wire.send(piece)
        assert wire.response().body == b"%d" % size
    assert server.memory_peak_mib() < MEMORY_MAX_MIB


@pytest.mark.slow
def test_downloads_in_constant_memory(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, *BARE)
    size = 512 * MIB
    with server.connect() as wire:
        wire.send(get(f"/download?chunks={size // 65_536}"))
        wire.until(b"\r\n\r\n")
        drain(wire, size - len(wire.take_buffered()))
        assert wire.send(get("/")).response().body == b"hello"
    assert server.memory_peak_mib() < MEMORY_MAX_MIB


@pytest.mark.parametrize("size", [1000, 65_536])
def test_a_slow_reader_stops_the_application(server: Server, size: int) -> None:
    chunks = 2 * IN_FLIGHT_MAX_BYTES // size
    ticket = server.ticket()
    with server.connect(receive_buffer=65_536) as wire, server.connect() as other:
        wire.send(get(f"/download?chunks={chunks}&size={size}&ticket={ticket}"))
        wire.until(b"\r\n\r\n")
        # Others are served meanwhile.
        assert other.send(get("/")).response().body == b"hello"
        reader = threading.Timer(
            1.0, lambda: drain(wire, chunks * size - len(wire.take_buffered()))
        )
        reader.start()
        assert 0 <= server.reported(ticket) < IN_FLIGHT_MAX_BYTES
        reader.join()
        assert wire.send(get("/")).response().body == b"hello"


def test_pieces_go_out_at_once(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as opener:
        wire.send(get(f"/gated?ticket={ticket}")).until(b"5\r\nfirst\r\n")
        assert server.reported(ticket) == "waiting"
        opener.send(get(f"/open?ticket={ticket}")).response()
        assert wire.until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"
    assert server.reported(ticket) == "closed"


# --- Clients that leave -----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["close", "reset"])
def test_a_client_that_leaves_a_download(server: Server, way: str) -> None:
    before = server.stderr.size()
    ticket = server.ticket()
    wire = server.connect().send(get(f"/endless?ticket={ticket}"))
    wire.until(b"xxx")
    getattr(wire, way)()
    # The generator is ended, and the iterable closed; nobody calls it an error.
    assert {server.reported(ticket), server.reported(ticket)} == {"left", "closed"}
    with server.connect() as other:
        assert other.send(get("/")).response().body == b"hello"
    assert server.stderr.since(before) == ""


def test_a_client_that_leaves_while_the_application_waits_for_it(
    server: Server,
) -> None:
    before = server.stderr.size()
    ticket = server.ticket()
    wire = server.connect(receive_buffer=4096)
    wire.send(get(f"/endless?ticket={ticket}"))
    wire.until(b"xxx")
    wire.reset()
    assert {server.reported(ticket), server.reported(ticket)} == {"left", "closed"}
    assert server.stderr.since(before) == ""


@pytest.mark.parametrize("way", ["close", "reset", "half_close"])
def test_a_client_that_leaves_an_upload(server: Server, way: str) -> None:
    before = server.stderr.size()
    ticket = server.ticket()
    wire = server.connect()
    wire.send(post(f"/reads-from-one-that-leaves?ticket={ticket}", 100) + b"half of it")
    assert server.reported(ticket) == "half"
    getattr(wire, way)()
    assert server.reported(ticket) == "ClientDisconnected"
    wire.close()
    with server.connect() as other:
        assert other.send(get("/")).response().body == b"hello"
    assert server.stderr.since(before) == ""


def leave(server: Server, path: str, way: str) -> None:
    """Sends half of an upload, and leaves when the application has seen it."""
    ticket = server.ticket()
    wire = server.connect()
    wire.send(post(path.format(ticket), 100) + b"half of it")
    assert server.reported(ticket) == "half"
    getattr(wire, way)()
    server.reported(ticket)
    wire.close()


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/reads-from-one-that-leaves?ticket={}", "close"),
        ("/reads-from-one-that-leaves?ticket={}", "reset"),
        ("/reads-from-one-that-leaves?ticket={}", "half_close"),
        ("/does-more-for-one-that-leaves?ticket={}&then=write", "reset"),
        ("/does-more-for-one-that-leaves?ticket={}&then=fail", "reset"),
        ("/does-more-for-one-that-leaves?ticket={}&then=nothing", "reset"),
    ],
)
def test_a_client_that_has_left_has_no_access_line(
    start: Start, placement: Placement, path: str, way: str
) -> None:
    # One thread: what the log says of the next request it says after all of this one.
    server = start(APP, *placement.options, "--wsgi-threads", "1")
    leave(server, path, way)
    with server.connect() as other:
        assert other.send(get("/")).response().body == b"hello"
    server.stdout.wait_for('"GET / HTTP/1.1" 200 OK\n')
    assert "leaves" not in server.stdout.text
    # A fault of the application is one, whoever has left.
    assert ("LookupError: mine" in server.stderr.text) == path.endswith("fail")


def test_a_half_closed_client_is_told_of_a_fault(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options)
    ticket = server.ticket()
    with server.connect() as wire:
        path = f"/does-more-for-one-that-leaves?ticket={ticket}&then=fail"
        wire.send(post(path, 100) + b"half of it").half_close()
        assert wire.response().status == 500
        wire.expect_end()
    server.stdout.wait_for('then=fail HTTP/1.1" 500 Internal Server Error')


def test_clients_that_leave_do_not_count_as_requests(
    start: Start, placement: Placement
) -> None:
    options = ("--wsgi-threads", "1", "--limit-max-requests", "2")
    server = start(APP, *placement.options, *BARE, *options)
    for way in ("close", "reset"):
        leave(server, "/reads-from-one-that-leaves?ticket={}", way)
    for _ in range(2):
        with server.connect() as wire:
            assert wire.send(get("/")).response().body == b"hello"
    assert server.wait() == 0
    assert "Maximum request limit of 2 exceeded" in server.stderr.text


def test_a_half_closed_client_gets_its_answer(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/echo", 3) + b"abc").half_close()
        assert wire.response().body == b"abc"
        wire.expect_end()


def test_memory_stays(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, *BARE)

    def some_requests() -> None:
        for _ in range(300):
            with server.connect() as wire:
                wire.send(get("/") + post("/echo", 20_000) + bytes(20_000))
                assert wire.response().body == b"hello"
                assert len(wire.response().body) == 20_000
            ticket = server.ticket()
            wire = server.connect().send(get(f"/endless?ticket={ticket}"))
            wire.until(b"x")
            wire.reset()
            assert {server.reported(ticket), server.reported(ticket)}

    some_requests()
    before = server.memory_mib()
    some_requests()
    assert server.memory_mib() - before < 5
