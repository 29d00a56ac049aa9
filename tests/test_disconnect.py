"""A client that goes away: how the application learns of it, and that nobody calls it an error."""

from pathlib import Path

import pytest

from conftest import Placement, Pool, Start
from harness.deadline import Deadline
from harness.server import Server

APP = "apps.streams:app"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def serves_others(server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok")
        assert wire.response().body == b"ok"


@pytest.mark.parametrize("way", ["close", "reset"])
def test_send_raises_an_os_error(server: Server, way: str) -> None:
    ticket = server.ticket()
    wire = server.connect().send(get(f"/endless?swallow&ticket={ticket}"))
    wire.until(b"first")
    assert server.reported(ticket) == "started"
    getattr(wire, way)()
    assert server.reported(ticket)[1] is True
    assert server.reported(ticket) == "again"
    serves_others(server)


def test_send_raises_while_small_pieces_trickle(server: Server) -> None:
    ticket = server.ticket()
    wire = server.connect().send(get(f"/trickle?ticket={ticket}"))
    wire.until(b"tick\n")
    wire.close()
    assert server.reported(ticket) == "gone"


@pytest.mark.parametrize("way", ["close", "reset"])
def test_send_raises_after_the_disconnect_was_received(
    server: Server, way: str
) -> None:
    ticket = server.ticket()
    wire = server.connect().send(get(f"/send-after-disconnect?ticket={ticket}"))
    assert server.reported(ticket) == "waiting"
    getattr(wire, way)()
    assert server.reported(ticket) == "disconnected"
    if way == "reset":
        # After a mere close the server cannot know yet that nobody reads.
        assert server.reported(ticket) is True


def test_sender_that_waits_for_a_slow_reader_is_woken(server: Server) -> None:
    ticket = server.ticket()
    wire = server.connect(receive_buffer=4096)
    wire.send(get(f"/download?chunks=10000&ticket={ticket}"))
    stopped_at = server.reported(ticket)
    assert stopped_at < 10_000 * 65_536
    wire.reset()
    assert server.reported(ticket) == "gone"
    serves_others(server)


def test_nothing_is_logged_as_an_error(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    tickets = [server.ticket() for _ in range(4)]
    for ticket in tickets[:2]:
        wire = server.connect().send(get(f"/endless?ticket={ticket}"))
        wire.until(b"first")
        wire.reset()
        assert server.reported(ticket) == "started"
        assert server.reported(ticket)[1] is True
    for ticket in tickets[2:]:
        wire = server.connect().send(get(f"/send-after-disconnect?ticket={ticket}"))
        assert server.reported(ticket) == "waiting"
        wire.reset()
        assert server.reported(ticket) == "disconnected"
        assert server.reported(ticket) is True
    serves_others(server)
    assert server.stop() == 0
    assert "ERROR" not in server.stderr.text and "Traceback" not in server.stderr.text


def test_who_has_gone_is_no_failed_request(start: Start, placement: Placement) -> None:
    # One that is not answered does not count: only the last request ends the server.
    server = start(APP, *placement.options, "--limit-max-requests", "1")
    ticket = server.ticket()
    wire = server.connect().send(get(f"/answer-to-nobody?ticket={ticket}"))
    assert server.reported(ticket) == "waiting"
    wire.reset()
    assert server.reported(ticket) == "over"
    ticket = server.ticket()
    wire = server.connect().send(get(f"/endless-in-a-group?ticket={ticket}"))
    wire.until(b"first")
    assert server.reported(ticket) == "started"
    wire.reset()
    assert server.reported(ticket) == "over"
    serves_others(server)
    assert server.wait() == 0
    assert "ERROR" not in server.stderr.text and "Traceback" not in server.stderr.text
    assert " 500 " not in server.stdout.text
    assert server.stdout.text.count('"POST /echo HTTP/1.1" 200') == 1


def test_half_closed_client_gets_its_answer(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as opener:
        request = f"POST /answer-after-end?ticket={ticket} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
        wire.send(request.encode()).half_close()
        assert server.reported(ticket) == "read"
        opener.send(get(f"/open?ticket={ticket}")).response()
        assert wire.response().body == b"slow body"
        wire.expect_end()


def test_half_closed_client_gets_all_its_pipelined_answers(server: Server) -> None:
    with server.connect() as wire:
        request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
        wire.send(
            b"".join(request + b"%4d" % number for number in range(30))
        ).half_close()
        for number in range(30):
            assert wire.response().body == b"%4d" % number
        wire.expect_end()


def test_half_closed_client_gets_an_answer_before_its_next_request_is_complete(
    server: Server,
) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/send-after-disconnect?ticket={ticket}") + b"GET / HT")
        wire.half_close()
        assert server.reported(ticket) == "waiting"
        assert server.reported(ticket) == "disconnected"
        assert wire.response().body == b"too late"
        wire.expect_end()


@pytest.mark.parametrize("behind", [b"\r\n", b"GET / HT", get("/echo")])
@pytest.mark.parametrize("way", ["close", "half_close"])
def test_disconnect_is_told_whatever_stands_behind_the_request(
    server: Server, way: str, behind: bytes
) -> None:
    ticket = server.ticket()
    path = f"/send-after-disconnect?ticket={ticket}"
    request = get(path).replace(b"GET", b"POST") + behind
    wire = server.connect().send(
        request.replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\nbody", 1)
    )
    assert server.reported(ticket) == "waiting"
    getattr(wire, way)()
    assert server.reported(ticket) == "disconnected"
    wire.close()


def test_half_closed_client_gets_a_large_answer(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/download?chunks=100&chunked")).half_close()
        assert len(wire.response().body) == 100 * 65_536
        wire.expect_end()


def test_connections_that_send_nothing(server: Server) -> None:
    for _ in range(50):
        server.connect().close()
        server.connect().reset()
        server.connect().half_close().close()
    serves_others(server)


def test_clients_that_leave_at_once(server: Server) -> None:
    for _ in range(50):
        server.connect().send(get("/download?chunks=10")).reset()
        server.connect().send(get("/download?chunks=10")).close()
        server.connect().send(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
        ).reset()
    serves_others(server)


def test_clients_that_leave_among_pipelined_requests(server: Server) -> None:
    for _ in range(20):
        wire = server.connect().send(get("/download?chunks=1") * 30)
        wire.response()
        wire.reset()
    serves_others(server)


def test_descriptors_are_given_back(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)

    def descriptors() -> int:
        return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))

    serves_others(server)
    before = descriptors()
    for _ in range(200):
        server.connect().send(get("/download?chunks=2")).reset()
    # Accepted after all of these, so none of them can be opened later than the count.
    serves_others(server)
    deadline = Deadline()
    while (left := descriptors()) > before + 2 and deadline.left():
        serves_others(server)
    assert left <= before + 2


def test_a_framework_that_passes_the_disconnect_on_is_not_in_error(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options)
    ticket = server.ticket()
    wire = server.connect().send(get(f"/passes-on?ticket={ticket}"))
    wire.until(b"tick\n")
    wire.close()
    assert server.reported(ticket) == "gone"
    # A fault of the application's own is still one, whatever it was raised in.
    ticket = server.ticket()
    wire = server.connect().send(get(f"/fails-on?ticket={ticket}"))
    wire.until(b"tick\n")
    wire.close()
    assert server.reported(ticket) == "gone"
    server.stderr.wait_for("^KeyError: 'a fault in the clean-up'")
    assert server.stderr.text.count("Exception in ASGI application") == 1
