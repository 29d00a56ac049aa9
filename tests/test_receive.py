"""What `receive` gives an application: the body, and the end of the connection."""

import pytest

from conftest import BARE, Placement, Pool
from harness.server import Server

HEAD = "POST {} HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get("apps.receive:app", *placement.options, *BARE)


def post(path: str, headers: str, body: bytes = b"") -> bytes:
    return HEAD.format(path, headers).encode() + body


def test_request_without_a_body(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(f"GET /messages?ticket={ticket} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert wire.response().body == b"done"
    assert server.reported(ticket) == ["http.request", "", False, "dict"]


def test_body_that_came_with_the_head_is_one_message(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/messages?ticket={ticket}", "Content-Length: 5", b"hello"))
        assert wire.response().body == b"done"
    assert server.reported(ticket) == ["http.request", "hello", False, "dict"]


def test_chunks_that_came_together_are_one_message(server: Server) -> None:
    ticket = server.ticket()
    chunks = b"2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n0\r\n\r\n"
    with server.connect() as wire:
        wire.send(
            post(f"/messages?ticket={ticket}", "Transfer-Encoding: chunked", chunks)
        )
        assert wire.response().body == b"done"
    assert server.reported(ticket) == ["http.request", "hello", False, "dict"]


def test_body_that_comes_in_parts(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/messages?ticket={ticket}", "Content-Length: 10", b"hello"))
        assert server.reported(ticket) == ["http.request", "hello", True, "dict"]
        wire.send(b"wor")
        assert server.reported(ticket) == ["http.request", "wor", True, "dict"]
        wire.send(b"ld")
        assert server.reported(ticket) == ["http.request", "ld", False, "dict"]
        assert wire.response().body == b"done"


def test_end_of_a_chunked_body_that_comes_alone(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(
            post(
                f"/messages?ticket={ticket}",
                "Transfer-Encoding: chunked",
                b"5\r\nhello\r\n",
            )
        )
        assert server.reported(ticket) == ["http.request", "hello", True, "dict"]
        wire.send(b"0\r\n\r\n")
        assert server.reported(ticket) == ["http.request", "", False, "dict"]
        assert wire.response().body == b"done"


def test_what_came_between_two_calls_is_one_message(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as opener:
        wire.send(
            post(
                f"/first-part-then-gate?ticket={ticket}&gate={ticket}",
                "Content-Length: 15",
                b"first",
            )
        )
        assert server.reported(ticket) == "first"
        wire.send(b"second")
        # This answer comes from the same server, so what was sent before has been read by now.
        opener.send(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n").response()
        wire.send(b"last")
        opener.send(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n").response()
        opener.send(
            f"GET /open?gate={ticket} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        ).response()
        assert wire.response().body == b"secondlast 0"


def test_receive_waits_after_the_body_until_the_answer_is_complete(
    server: Server,
) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/after-body?ticket={ticket}", "Content-Length: 5", b"hello"))
        assert wire.response().body == b"done"
        assert [server.reported(ticket) for _ in range(3)] == [
            False,
            False,
            "http.disconnect",
        ]
        assert (
            wire.send(post("/echo", "Content-Length: 2", b"ok")).response().body
            == b"ok"
        )


def test_receive_after_the_answer(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(
            f"GET /after-answer?ticket={ticket} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        assert wire.response().body == b"done"
        assert [server.reported(ticket) for _ in range(3)] == [
            {"type": "http.disconnect"}
        ] * 3


@pytest.mark.parametrize(
    "headers", ["X-No: body", "Content-Length: 5", "Transfer-Encoding: chunked"]
)
def test_disconnect_is_told_repeatedly(server: Server, headers: str) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(post(f"/until-disconnect?ticket={ticket}", headers))
        assert server.reported(ticket) == "started"
    assert [server.reported(ticket) for _ in range(3)] == [
        {"type": "http.disconnect"}
    ] * 3


def test_loop_that_does_not_look_does_not_stop_the_others(server: Server) -> None:
    ticket = server.ticket()
    never_looks = f"/never-looks?ticket={ticket}&gate={ticket}"
    with server.connect() as wire:
        wire.send(post(never_looks, "Content-Length: 0"))
        assert server.reported(ticket) == "started"
    assert server.reported(ticket) == "ended"
    with server.connect() as wire:
        answer = wire.send(post(f"/open?gate={ticket}", "Content-Length: 0")).response()
        assert answer.body == b"open"
    assert server.reported(ticket) == "stopped"


def test_reset_is_a_disconnect(server: Server) -> None:
    ticket = server.ticket()
    wire = server.connect().send(
        post(f"/until-disconnect?ticket={ticket}", "Content-Length: 5", b"he")
    )
    assert server.reported(ticket) == "started"
    wire.reset()
    assert server.reported(ticket) == {"type": "http.disconnect"}


# --- Expect: 100-continue ---------------------------------------------------------------------


def test_continue_is_sent_when_the_application_reads(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/echo", "Content-Length: 5\r\nExpect: 100-continue"))
        assert wire.until(b"\r\n\r\n") == CONTINUE
        assert wire.send(b"hello").response().body == b"hello"
        assert (
            wire.send(post("/echo", "Content-Length: 2", b"ok")).response().body
            == b"ok"
        )


def test_expectation_in_any_case(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/echo", "Transfer-Encoding: chunked\r\nexpect: 100-Continue"))
        assert wire.until(b"\r\n\r\n") == CONTINUE
        assert wire.send(b"5\r\nhello\r\n0\r\n\r\n").response().body == b"hello"


def test_no_continue_for_an_application_that_does_not_read(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/unread", "Content-Length: 5\r\nExpect: 100-continue"))
        response = wire.response()
        assert (response.status, response.body) == (200, b"unread")


def test_no_continue_once_the_answer_has_begun(server: Server) -> None:
    with server.connect() as wire:
        wire.send(post("/answer-first", "Content-Length: 5\r\nExpect: 100-continue"))
        assert wire.until(b"before \r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        wire.send(b"hello")
        assert b"hello" in wire.until(b"0\r\n\r\n")


def test_no_continue_for_http_1_0(server: Server) -> None:
    with server.connect() as wire:
        wire.send(
            b"POST /echo HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        wire.send(b"hello")
        response = wire.response()
        assert (response.status, response.body) == (200, b"hello")


def test_continue_belongs_to_its_own_request(server: Server) -> None:
    with server.connect() as wire:
        wire.send(
            post("/echo", "Content-Length: 2", b"ok")
            + post("/echo", "Content-Length: 5\r\nExpect: 100-continue")
        )
        assert wire.response().body == b"ok"
        assert wire.until(b"\r\n\r\n") == CONTINUE
        assert wire.send(b"hello").response().body == b"hello"


# --- Bodies that nobody reads -----------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 65_536, 500_000])
@pytest.mark.parametrize("path", ["/unread", "/half-read"])
def test_unread_body_is_dropped(server: Server, path: str, size: int) -> None:
    with server.connect() as wire:
        response = wire.send(
            post(path, f"Content-Length: {size}", b"x" * size)
        ).response()
        assert response.status == 200
        assert (
            wire.send(post("/echo", "Content-Length: 2", b"ok")).response().body
            == b"ok"
        )


def test_unread_chunked_body_is_dropped(server: Server) -> None:
    with server.connect() as wire:
        chunks = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
        wire.send(
            post(
                "/unread",
                "Transfer-Encoding: chunked",
                chunks * 300 + b"0\r\nT: x\r\n\r\n",
            )
        )
        assert wire.response().body == b"unread"
        assert (
            wire.send(post("/echo", "Content-Length: 2", b"ok")).response().body
            == b"ok"
        )


def test_unread_body_without_end_closes_the_connection(server: Server) -> None:
    size = 1_000_000_000
    piece = b"x" * 1_000_000
    with server.connect() as wire:
        wire.send(post("/unread", f"Content-Length: {size}"))
        response = wire.response()
        assert (response.status, response.body) == (200, b"unread")
        sent = 0
        try:
            while sent < size:
                wire.send(piece)
                sent += len(piece)
        except (ConnectionError, TimeoutError):
            pass
        assert sent < 100_000_000


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 300_000, 5_000_000])
def test_bodies_arrive_whole(server: Server, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    with server.connect() as wire:
        wire.send(post("/sizes", f"Content-Length: {size}", data))
        assert wire.response().body == b"%d" % size
        assert (
            wire.send(post("/echo", f"Content-Length: {size}", data)).response().body
            == data
        )
