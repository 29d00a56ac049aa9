"""Limits on heads, bodies, requests: who is refused, with which status, and who is not."""

import re

import pytest

from conftest import BARE, Placement, Pool, Start
from harness.server import Server
from harness.wire import Response, Wire

WIRE = "apps.wire:app"
GATED = "apps.receive:app"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(WIRE, *placement.options, *BARE)


@pytest.fixture
def small(pool: Pool, placement: Placement) -> Server:
    """A server with limits that are easily reached."""
    limits = (
        "--limit-head-size",
        "1000",
        "--limit-header-count",
        "5",
        "--limit-request-body",
        "1000",
    )
    return pool.get(WIRE, *placement.options, *BARE, *limits)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def post(path: str, headers: str, body: bytes = b"") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode() + body


def head_of(size: int) -> bytes:
    """A head of exactly `size` bytes."""
    empty = get("/a", "X-Fill: ")
    return get("/a", "X-Fill: " + "v" * (size - len(empty)))


def is_refused(wire: Wire, status: int, reason: bytes) -> Response:
    """Fails unless a whole refusal comes that says the connection closes."""
    response = wire.response()
    assert (response.status, response.reason, response.framing) == (
        status,
        reason,
        "length",
    )
    assert response.get(b"connection") == b"close"
    assert response.get(b"content-type") == b"text/plain; charset=utf-8"
    return response


def refused(server: Server, request: bytes, status: int, reason: bytes) -> None:
    with server.connect() as wire:
        is_refused(wire.send(request), status, reason)
        wire.expect_end()


def served(server: Server, request: bytes) -> None:
    with server.connect() as wire:
        assert wire.send(request).response().status == 200
        assert wire.send(get("/next")).response().status == 200


TARGET_TOO_LONG = (414, b"URI Too Long")
HEAD_TOO_LARGE = (431, b"Request Header Fields Too Large")
BODY_TOO_LARGE = (413, b"Content Too Large")
UNKNOWN_EXPECTATION = (417, b"Expectation Failed")


def test_head_as_large_as_allowed(server: Server) -> None:
    served(server, head_of(65_536))


def test_head_too_large(server: Server) -> None:
    refused(server, head_of(65_537), *HEAD_TOO_LARGE)


def test_head_far_too_large_that_never_ends(server: Server) -> None:
    with server.connect() as wire:
        try:
            wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Fill: ")
            for _ in range(1000):
                wire.send(b"v" * 65_536)
        except ConnectionError:
            pass
        assert wire.rest().startswith(b"HTTP/1.1 431 ") or wire.was_reset


def test_target_as_long_as_allowed(server: Server) -> None:
    served(server, get("/" + "a" * 65_000))


@pytest.mark.parametrize(
    "request_line", [b"GET /%b HTTP/1.1\r\n", b"GET /?%b HTTP/1.1\r\n", b"GET /%b"]
)
def test_target_too_long(server: Server, request_line: bytes) -> None:
    refused(server, request_line % (b"a" * 66_000), *TARGET_TOO_LONG)


def test_as_many_headers_as_allowed(server: Server) -> None:
    served(server, get("/", *(f"X-{number}: v" for number in range(255))))


def test_too_many_headers(server: Server) -> None:
    refused(
        server, get("/", *(f"X-{number}: v" for number in range(256))), *HEAD_TOO_LARGE
    )


def test_options_move_the_limits(small: Server) -> None:
    served(small, head_of(1000))
    refused(small, head_of(1001), *HEAD_TOO_LARGE)
    refused(small, get("/" + "a" * 1000), *TARGET_TOO_LONG)
    served(small, get("/", "A: 1", "B: 2", "C: 3", "D: 4"))
    refused(small, get("/", "A: 1", "B: 2", "C: 3", "D: 4", "E: 5"), *HEAD_TOO_LARGE)


def test_second_head_has_the_whole_limit_again(small: Server) -> None:
    with small.connect() as wire:
        wire.send(head_of(1000) * 10)
        assert [wire.response().status for _ in range(10)] == [200] * 10


# --- Bodies -----------------------------------------------------------------------------------


def test_body_as_large_as_allowed(small: Server) -> None:
    served(small, post("/a", "Content-Length: 1000", b"x" * 1000))
    served(
        small,
        post(
            "/a",
            "Transfer-Encoding: chunked",
            b"1f4\r\n"
            + b"x" * 500
            + b"\r\n"
            + b"1f4\r\n"
            + b"x" * 500
            + b"\r\n0\r\n\r\n",
        ),
    )


def test_announced_body_is_too_large(small: Server) -> None:
    # Refused before any of it comes, and before the application is called.
    ticket = small.ticket()
    refused(
        small,
        post(f"/body-fate?ticket={ticket}", "Content-Length: 1001"),
        *BODY_TOO_LARGE,
    )
    assert small.report_count(ticket) == 0


def test_announced_body_is_too_large_and_comes(small: Server) -> None:
    refused(small, post("/a", "Content-Length: 1001", b"x" * 1001), *BODY_TOO_LARGE)


def test_client_that_asks_first_is_told_that_its_body_is_too_large(
    small: Server,
) -> None:
    refused(
        small,
        post("/a", "Content-Length: 1001\r\nExpect: 100-continue"),
        *BODY_TOO_LARGE,
    )


def test_chunked_body_becomes_too_large(small: Server) -> None:
    ticket = small.ticket()
    with small.connect() as wire:
        wire.send(post(f"/body-fate?ticket={ticket}", "Transfer-Encoding: chunked"))
        assert small.reported(ticket) == "begun"
        wire.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        wire.send(b"1\r\nx\r\n")
        is_refused(wire, *BODY_TOO_LARGE)
        wire.expect_end()
    assert small.reported(ticket) == "disconnected"


def test_one_chunk_is_too_large(small: Server) -> None:
    refused(
        small,
        post("/a", "Transfer-Encoding: chunked", b"3e9\r\n" + b"x" * 1001 + b"\r\n"),
        *BODY_TOO_LARGE,
    )


def test_body_that_nobody_reads_is_limited_too(small: Server) -> None:
    refused(small, post("/unread", "Content-Length: 1001"), *BODY_TOO_LARGE)


@pytest.mark.parametrize("value", ["foo", "100-continue, foo", "200-ok"])
def test_unknown_expectation(server: Server, value: str) -> None:
    refused(
        server,
        post("/a", f"Content-Length: 2\r\nExpect: {value}"),
        *UNKNOWN_EXPECTATION,
    )


# --- Requests in flight -----------------------------------------------------------------------


@pytest.fixture
def narrow(start: Start, placement: Placement) -> Server:
    """Two requests at a time."""
    return start(GATED, *placement.options, "--limit-concurrency", "2")


def hold(server: Server) -> Wire:
    """A request that is in flight until one more byte comes."""
    ticket = server.ticket()
    wire = server.connect().send(
        post(f"/messages?ticket={ticket}", "Content-Length: 2", b"a")
    )
    server.reported(ticket)
    return wire


def test_one_request_too_many_at_a_time(narrow: Server) -> None:
    one = hold(narrow)
    with narrow.connect() as wire:
        assert wire.send(get("/echo")).response().status == 200
    two = hold(narrow)
    wire = narrow.connect()
    response = wire.send(get("/echo")).response()
    assert (response.status, response.body) == (503, b"Service Unavailable")
    assert response.get(b"content-type") == b"text/plain; charset=utf-8"
    assert re.fullmatch(rb"\d+", response.get(b"retry-after") or b"")
    line = rf'127\.0\.0\.1:{wire.local_port} - "GET /echo HTTP/1\.1" 503 Service Unavailable'
    narrow.stdout.wait_for(f"^INFO:     {line}$")
    narrow.stderr.wait_for(r"^WARNING:  Exceeded concurrency limit\.$")
    assert one.send(b"b").response().body == b"done"
    with narrow.connect() as wire:
        assert wire.send(get("/echo")).response().status == 200
    assert two.send(b"b").response().body == b"done"


def test_request_stays_in_flight_when_its_client_is_gone(narrow: Server) -> None:
    tickets = [narrow.ticket(), narrow.ticket()]
    for ticket in tickets:
        wire = narrow.connect()
        wire.send(
            post(
                f"/first-part-then-gate?ticket={ticket}&gate=none",
                "Content-Length: 2",
                b"a",
            )
        )
        assert narrow.reported(ticket) == "a"
        wire.close()
    with narrow.connect() as wire:
        assert wire.send(get("/echo")).response().status == 503


def test_idle_connections_do_not_count(narrow: Server) -> None:
    never_used = [narrow.connect() for _ in range(10)]
    idle = [narrow.connect() for _ in range(10)]
    for wire in idle:
        assert wire.send(get("/echo")).response().status == 200
    for wire in [*never_used, *idle]:
        assert wire.send(get("/echo")).response().status == 200
        assert wire.send(get("/echo")).response().status == 200


def test_pipelined_requests_are_in_flight_one_by_one(narrow: Server) -> None:
    with narrow.connect() as wire:
        wire.send(get("/echo") * 30)
        assert [wire.response().status for _ in range(30)] == [200] * 30


# --- Requests in a life -----------------------------------------------------------------------


def test_process_ends_after_so_many_requests(
    start: Start, placement: Placement
) -> None:
    server = start(WIRE, *placement.options, "--limit-max-requests", "3")
    idle = server.connect()
    with server.connect() as wire:
        for _ in range(3):
            assert wire.send(get("/a")).response().status == 200
    assert server.wait() == 0
    idle.expect_end()
    assert (
        "INFO:     Maximum request limit of 3 exceeded. Terminating process."
        in server.stderr.lines
    )
    assert "INFO:     Application shutdown complete." in server.stderr.lines


def test_jitter_is_added_to_the_limit(start: Start) -> None:
    # That it is a small number is as likely as five in a thousand millions.
    jitter = ("--limit-max-requests-jitter", "1000000000")
    server = start(WIRE, "--limit-max-requests", "1", *jitter)
    with server.connect() as wire:
        for _ in range(5):
            assert wire.send(get("/a")).response().status == 200
    assert server.stop() == 0
    assert "Maximum request limit" not in server.stderr.text


def test_jitter_raises_the_limit(start: Start) -> None:
    server = start(
        WIRE, "--limit-max-requests", "2", "--limit-max-requests-jitter", "3"
    )
    answered = 0
    try:
        for _ in range(1000):
            with server.connect() as wire:
                wire.send(get("/a", "Connection: close")).response()
                answered += 1
    except (OSError, AssertionError):
        pass
    assert server.wait() == 0
    limit = re.search(r"Maximum request limit of (\d+) exceeded", server.stderr.text)
    assert limit and 2 <= int(limit[1]) <= 5 and answered >= int(limit[1])
