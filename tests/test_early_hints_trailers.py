"""Interim answers, trailers, and debug messages."""

import pytest

from conftest import BARE, Placement, Pool
from harness.server import Server


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get("apps.extensions:app", *placement.options, *BARE)


def get(path: str, *headers: str, version: str = "1.1", method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode()


NEXT = b"POST /debug HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"


def test_early_hints_go_out_before_the_answer(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/hint"))
        assert wire.until(b"\r\n\r\n") == (
            b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n"
        )
        assert (
            wire.until(b"\r\n\r\n")
            == b"HTTP/1.1 103 Early Hints\r\nlink: </c.js>\r\n\r\n"
        )
        assert wire.response().raw == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        assert wire.send(NEXT).response().body == b"ok"


def test_early_hint_before_the_answer_is_known(server: Server) -> None:
    with server.connect() as wire:
        wire.send(
            b"POST /hint-first HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo"
        )
        hint = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n"
        assert wire.until(b"\r\n\r\n") == hint
        assert wire.send(b"dy").response().body == b"body"


def test_no_early_hints_for_http_1_0(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/hint", version="1.0")).response()
        assert (response.status, response.body) == (200, b"ok")


def test_hint_with_a_line_end_is_refused(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        said = wire.send(get(f"/bad-hint?ticket={ticket}")).rest()
        assert b"set-cookie" not in said
    assert server.reported(ticket) == "RuntimeError"


@pytest.mark.parametrize("path", ["/trailers", "/trailers-in-parts"])
@pytest.mark.parametrize("te", ["TE: trailers", "te: gzip;q=0.5, Trailers"])
def test_trailers_for_a_client_that_takes_them(
    server: Server, path: str, te: str
) -> None:
    with server.connect() as wire:
        response = wire.send(get(path, te, "Connection: TE")).response()
        assert (response.status, response.framing) == (200, "chunked")
        assert response.body in (b"onetwo", b"body")
        assert response.trailers == [(b"x-sum", b"abc"), (b"x-other", b"")]
        assert wire.send(NEXT).response().body == b"ok"


@pytest.mark.parametrize(
    ("path", "body"), [("/trailers", b"onetwo"), ("/trailers-in-parts", b"body")]
)
@pytest.mark.parametrize("headers", [[], ["TE: gzip"]])
def test_no_trailers_for_other_clients(
    server: Server, path: str, body: bytes, headers: list[str]
) -> None:
    with server.connect() as wire:
        response = wire.send(get(path, *headers)).response()
        assert (response.body, response.trailers) == (body, [])
        assert wire.send(NEXT).response().body == b"ok"


def test_no_trailers_with_a_known_length(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/trailers-with-length", "TE: trailers")).response()
        assert response.raw == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"
        assert wire.send(NEXT).response().body == b"ok"


def test_no_trailers_for_http_1_0(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/trailers", "TE: trailers", version="1.0"))
        response = wire.response()
        assert (response.framing, response.body) == ("close", b"onetwo")


def test_no_trailers_for_head(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/trailers", "TE: trailers", method="HEAD"))
        assert wire.response(head_only=True).status == 200
        assert wire.send(NEXT).response().body == b"ok"


def test_trailer_with_a_line_end_is_refused(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        said = wire.send(get(f"/bad-trailers?ticket={ticket}", "TE: trailers")).rest()
        assert b"b: c" not in said and not said.endswith(b"0\r\n\r\n")
    assert server.reported(ticket) == "RuntimeError"


def test_trailers_say_nothing_about_framing(server: Server) -> None:
    """RFC 9110, section 6.5.1: somebody on the way may put them into the head."""
    with server.connect() as wire:
        wire.send(get("/trailers-of-the-framing", "TE: trailers"))
        response = wire.response()
        assert (response.body, response.trailers) == (b"body", [(b"x-sum", b"abc")])
        assert wire.send(NEXT).response().body == b"ok"


def test_trailers_must_be_announced(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/no-trailers?ticket={ticket}", "TE: trailers"))
        response = wire.response()
        assert (response.body, response.trailers) == (b"body", [])
    assert server.reported(ticket) == "RuntimeError"


def test_debug_messages_are_taken(server: Server) -> None:
    with server.connect() as wire:
        assert wire.send(NEXT).response().raw == (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        )
