"""How an application's answer goes out: framing, headers, and what follows from wrong messages."""

import re

import pytest

from conftest import BARE, Placement, Pool
from harness.server import Server
from harness.wire import DATE, Response, Wire, without_date

APP = "apps.responses:app"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, *BARE)


def get(path: str, *headers: str, version: str = "1.1", method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode()


def serves_on(wire: Wire) -> None:
    """Fails unless the connection is good for another request."""
    response = wire.send(get("/plain")).response()
    assert (response.status, response.body) == (200, b"ok")


def closes(wire: Wire, response: Response) -> None:
    """Fails unless the answer said that the connection closes, and it does."""
    assert response.get(b"connection") == b"close"
    wire.expect_end()


def test_known_length(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/plain")).response()
        assert (
            response.raw
            == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
        )
        serves_on(wire)


def test_each_call_is_a_message_of_its_own(server: Server) -> None:
    """However long the application keeps the object that `send` returns."""
    ticket = server.ticket()
    for _ in range(2):
        with server.connect() as wire:
            response = wire.send(get(f"/calls?ticket={ticket}")).response()
            assert (response.status, response.body) == (200, b"ok")
        assert server.reported(ticket) is True
        assert server.reported(ticket) == "cannot reuse already awaited send()"
        assert server.reported(ticket) == (
            "Unexpected ASGI message 'http.response.body' sent, after response already completed."
        )


def test_unknown_length_is_chunked(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/stream")).response()
        assert response.framing == "chunked"
        assert response.headers == [(b"transfer-encoding", b"chunked")]
        assert response.body == b"onetwothree"
        serves_on(wire)


def test_pieces_of_known_length(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/stream-with-length")).response()
        assert response.raw == b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nonetwo"
        serves_on(wire)


def test_everything_optional_left_out(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/minimal")).response()
        assert (response.status, response.reason, response.body) == (200, b"OK", b"")
        serves_on(wire)


def test_framing_header_of_the_application_is_not_doubled(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/own-chunked")).response()
        assert (response.framing, response.body) == ("chunked", b"data")
        serves_on(wire)


@pytest.mark.parametrize("path", ["/plain", "/stream-with-length"])
def test_head_keeps_headers_and_drops_the_body(server: Server, path: str) -> None:
    with server.connect() as wire:
        expected = wire.send(get(path)).response().headers
        response = wire.send(get(path, method="HEAD")).response(head_only=True)
        assert (response.status, response.headers) == (200, expected)
        serves_on(wire)


def test_head_of_unknown_length(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/stream", method="HEAD") + get("/plain"))
        assert wire.response(head_only=True).status == 200
        assert wire.response().body == b"ok"


@pytest.mark.parametrize(
    ("code", "reason"), [(204, b"No Content"), (304, b"Not Modified")]
)
def test_statuses_without_a_body(server: Server, code: int, reason: bytes) -> None:
    with server.connect() as wire:
        response = wire.send(get(f"/status?code={code}")).response()
        assert (response.status, response.reason) == (code, reason)
        assert response.headers == [(b"x-kept", b"yes")]
        serves_on(wire)


@pytest.mark.parametrize("code", [204, 304])
def test_body_of_a_status_without_one_never_goes_out(server: Server, code: int) -> None:
    with server.connect() as wire:
        wire.send(
            get(f"/status?code={code}&body=smuggled")
            + get("/plain", "Connection: close")
        )
        said = wire.rest()
    assert said.startswith(b"HTTP/1.1 %d " % code)
    assert b"smuggled" not in said
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in said


def test_http_1_0_is_never_chunked(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/stream", version="1.0")).response()
        assert (response.framing, response.body) == ("close", b"onetwothree")
        closes(wire, response)


def test_http_1_0_with_known_length_closes(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/plain", version="1.0")).response()
        assert (response.status, response.body) == (200, b"ok")
        closes(wire, response)


def test_http_1_0_keep_alive_when_asked_for(server: Server) -> None:
    with server.connect() as wire:
        request = get("/plain", "Connection: keep-alive", version="1.0")
        for _ in range(2):
            response = wire.send(request).response()
            assert (response.body, response.get(b"connection")) == (
                b"ok",
                b"keep-alive",
            )


def test_http_1_0_keep_alive_is_impossible_without_a_length(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/stream", "Connection: keep-alive", version="1.0"))
        response = wire.response()
        assert (response.framing, response.body) == ("close", b"onetwothree")
        closes(wire, response)


@pytest.mark.parametrize("header", ["close", "Close", "foo, close", "close, foo"])
def test_client_asks_to_close(server: Server, header: str) -> None:
    with server.connect() as wire:
        response = wire.send(get("/plain", f"Connection: {header}")).response()
        assert response.body == b"ok"
        closes(wire, response)


def test_application_asks_to_close(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/close") + get("/plain")).response()
        assert response.body == b"ok"
        closes(wire, response)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (200, b"OK"),
        (201, b"Created"),
        (202, b"Accepted"),
        (206, b"Partial Content"),
        (207, b"Multi-Status"),
        (301, b"Moved Permanently"),
        (307, b"Temporary Redirect"),
        (308, b"Permanent Redirect"),
        (400, b"Bad Request"),
        (401, b"Unauthorized"),
        (404, b"Not Found"),
        (405, b"Method Not Allowed"),
        (409, b"Conflict"),
        (429, b"Too Many Requests"),
        (451, b"Unavailable For Legal Reasons"),
        (500, b"Internal Server Error"),
        (502, b"Bad Gateway"),
        (503, b"Service Unavailable"),
        (511, b"Network Authentication Required"),
        (299, b""),
        (599, b""),
    ],
)
def test_reason_phrases(server: Server, code: int, reason: bytes) -> None:
    with server.connect() as wire:
        response = wire.send(get(f"/status?code={code}")).response()
        assert response.raw.startswith(b"HTTP/1.1 %d %b\r\n" % (code, reason))
        serves_on(wire)


@pytest.mark.parametrize("code", [-1, 0, 99, 600, 1000, 70000])
def test_impossible_status(server: Server, code: int) -> None:
    is_internal_error(server, f"/status?code={code}&body=x")


@pytest.mark.parametrize("kind", ["text", "none", "float"])
def test_status_that_is_no_number(server: Server, kind: str) -> None:
    is_internal_error(server, f"/odd-status?kind={kind}")


@pytest.mark.parametrize(
    "kind", ["bytes", "bytearray", "memoryview", "memoryview-slice"]
)
def test_body_types(server: Server, kind: str) -> None:
    with server.connect() as wire:
        assert (
            wire.send(get(f"/body-type?kind={kind}")).response().body
            == b"\x00binary\xff"
        )
        serves_on(wire)


def test_no_body_and_headers_of_buffers(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/loose-types")).response()
        assert (response.status, response.body) == (200, b"")
        assert (b"x-loose", b"yes") in response.headers
        serves_on(wire)


def test_empty_pieces_are_no_chunks(server: Server) -> None:
    with server.connect() as wire:
        wire.send(get("/empty-pieces"))
        assert wire.until(b"0\r\n\r\n").endswith(b"\r\n\r\n3\r\none\r\n0\r\n\r\n")
        serves_on(wire)


def test_buffer_may_be_used_again_after_send(server: Server) -> None:
    with server.connect() as wire:
        response = wire.send(get("/bytearray-changed-later")).response()
        assert response.body == b"a" * 100_000 + b"b" * 100_000


@pytest.mark.parametrize("size", [256, 16_384, 16_640, 65_536, 1_048_576, 20_971_520])
def test_large_bodies_arrive_whole(server: Server, size: int) -> None:
    with server.connect() as wire:
        response = wire.send(get(f"/large?size={size}")).response()
        assert response.body == bytes(range(256)) * (size // 256)
        serves_on(wire)


def test_headers_go_out_in_order(server: Server) -> None:
    with server.connect() as wire:
        assert wire.send(get("/headers")).response().raw == (
            b"HTTP/1.1 200 OK\r\n"
            b"content-length: 2\r\n"
            b"set-cookie: a=1\r\n"
            b"x-upper: Kept Case\r\n"
            b"set-cookie: b=2\r\n"
            b"x-latin: caf\xe9\r\n"
            b"x-tab: a\tb\r\n"
            b"x-empty: \r\n"
            b"\r\nok"
        )


@pytest.mark.parametrize("kind", ["lists", "tuple", "generator", "dict-items"])
def test_headers_in_any_iterable(server: Server, kind: str) -> None:
    with server.connect() as wire:
        response = wire.send(get(f"/header-kinds?kind={kind}")).response()
        assert response.get(b"x-kind") == kind.encode()
        assert response.body == b"ok"


def test_default_headers(pool: Pool, placement: Placement) -> None:
    server = pool.get(APP, *placement.options)
    with server.connect() as wire:
        raw = wire.send(get("/plain")).response().raw
        assert len(DATE.findall(raw)) == 1
        assert without_date(raw) == (
            b"HTTP/1.1 200 OK\r\nserver: smolcorn\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
        )


def test_application_replaces_default_headers(pool: Pool, placement: Placement) -> None:
    server = pool.get(APP, *placement.options)
    with server.connect() as wire:
        response = wire.send(get("/own-defaults")).response()
        assert response.get(b"server") == b"mine"
        assert response.get(b"date") == b"Thu, 01 Jan 1970 00:00:00 GMT"


def test_headers_from_the_command_line(pool: Pool, placement: Placement) -> None:
    extra = (
        "--header",
        "X-One:1",
        "--header",
        "x-two: two words",
        "--header",
        "X-One:again",
    )
    server = pool.get(APP, *placement.options, *BARE, *extra)
    with server.connect() as wire:
        assert wire.send(get("/plain")).response().raw == (
            b"HTTP/1.1 200 OK\r\nx-one: 1\r\nx-two:  two words\r\nx-one: again\r\n"
            b"content-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
        )


def test_server_header_from_the_command_line_replaces_ours(
    pool: Pool, placement: Placement
) -> None:
    server = pool.get(APP, *placement.options, "--header", "Server:hidden")
    with server.connect() as wire:
        assert wire.send(get("/plain")).response().all(b"server") == [b"hidden"]


def is_internal_error(
    server: Server, path: str, *, log: str = "Exception in ASGI application"
) -> None:
    """Fails unless the answer is the server's own 500, and the log says why."""
    before = server.stderr.size()
    with server.connect() as wire:
        response = wire.send(get(path)).response()
        assert (response.status, response.reason) == (500, b"Internal Server Error")
        assert sorted(response.headers) == [
            (b"connection", b"close"),
            (b"content-length", b"21"),
            (b"content-type", b"text/plain; charset=utf-8"),
        ]
        assert response.body == b"Internal Server Error"
        wire.expect_end()
    server.stderr.wait_for(f"^ERROR:    {re.escape(log)}$", start=before)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("name-space", "Invalid HTTP header name."),
        ("name-colon", "Invalid HTTP header name."),
        ("name-newline", "Invalid HTTP header name."),
        ("name-empty", "Invalid HTTP header name."),
        ("name-latin", "Invalid HTTP header name."),
        ("value-newline", "Invalid HTTP header value."),
        ("value-lf", "Invalid HTTP header value."),
        ("value-cr", "Invalid HTTP header value."),
        ("value-nul", "Invalid HTTP header value."),
        ("value-control", "Invalid HTTP header value."),
        ("value-delete", "Invalid HTTP header value."),
    ],
)
def test_illegal_header(server: Server, kind: str, error: str) -> None:
    ticket = server.ticket()
    is_internal_error(server, f"/bad-header?kind={kind}&ticket={ticket}")
    assert server.reported(ticket) == ["RuntimeError", error]


@pytest.mark.parametrize("kind", ["name-str", "value-str", "value-int"])
def test_header_of_a_wrong_type(server: Server, kind: str) -> None:
    ticket = server.ticket()
    is_internal_error(server, f"/bad-header?kind={kind}&ticket={ticket}")
    assert server.reported(ticket)[0] == "TypeError"


@pytest.mark.parametrize(
    "kind",
    ["not-a-pair", "length-word", "length-negative", "length-plus", "length-empty"],
)
def test_header_that_makes_no_sense(server: Server, kind: str) -> None:
    ticket = server.ticket()
    is_internal_error(server, f"/bad-header?kind={kind}&ticket={ticket}")
    assert server.reported(ticket) is not None


def test_application_may_answer_after_its_bad_header_was_refused(
    server: Server,
) -> None:
    with server.connect() as wire:
        response = wire.send(get("/recovers")).response()
        assert (response.status, response.body) == (418, b"recovered")
        serves_on(wire)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (
            "body-first",
            "Expected ASGI message 'http.response.start', but got 'http.response.body'.",
        ),
        (
            "unknown-first",
            "Expected ASGI message 'http.response.start', but got 'http.nonsense'.",
        ),
        (
            "websocket",
            "Expected ASGI message 'http.response.start', but got 'websocket.accept'.",
        ),
    ],
)
def test_wrong_first_message(server: Server, name: str, error: str) -> None:
    ticket = server.ticket()
    is_internal_error(server, f"/script?name={name}&ticket={ticket}")
    assert server.reported(ticket) == ["RuntimeError", error]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (
            "start-twice",
            "Expected ASGI message 'http.response.body', but got 'http.response.start'.",
        ),
        (
            "unknown-second",
            "Expected ASGI message 'http.response.body', but got 'http.response.push'.",
        ),
    ],
)
def test_wrong_second_message(server: Server, name: str, error: str) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/script?name={name}&ticket={ticket}"))
        # Whatever was sent of it, it must not look whole.
        assert not wire.rest().endswith(b"content-length: 2\r\n\r\nok")
    assert server.reported(ticket) == ["RuntimeError", error]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("body-after-end", "http.response.body"),
        ("start-after-end", "http.response.start"),
    ],
)
def test_message_after_the_end(server: Server, name: str, error: str) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        response = wire.send(get(f"/script?name={name}&ticket={ticket}")).response()
        assert response.raw == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        assert server.reported(ticket) == [
            "RuntimeError",
            f"Unexpected ASGI message '{error}' sent, after response already completed.",
        ]
        wire.expect_end()


@pytest.mark.parametrize("kind", ["none", "text", "no-type", "odd-type"])
def test_something_that_is_no_message(server: Server, kind: str) -> None:
    is_internal_error(server, f"/not-a-message?kind={kind}")


def test_body_of_a_wrong_type(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/script?name=body-str&ticket={ticket}"))
        wire.rest()
    assert server.reported(ticket)[0] == "TypeError"


TOO_LONG = ["RuntimeError", "Response content longer than Content-Length"]
TOO_SHORT = ["RuntimeError", "Response content shorter than Content-Length"]


def test_more_than_content_length_at_once(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/script?name=too-long-at-once&ticket={ticket}"))
        assert b"okk" not in wire.rest()
    assert server.reported(ticket) == TOO_LONG


def test_more_than_content_length_later(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/script?name=too-long-later&ticket={ticket}"))
        assert wire.rest() == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"
    assert server.reported(ticket) == TOO_LONG


@pytest.mark.parametrize("name", ["too-short-at-once", "too-short-later"])
def test_less_than_content_length(server: Server, name: str) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/script?name={name}&ticket={ticket}"))
        said = wire.rest()
    assert server.reported(ticket) == TOO_SHORT
    # Never a whole answer that the application did not give.
    assert (
        said == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc"
        or said.startswith(b"HTTP/1.1 500 ")
    )


@pytest.mark.parametrize(
    "how", ["exception", "cancelled", "system-exit", "base", "os-error"]
)
@pytest.mark.parametrize("when", ["at-once", "after-await"])
def test_application_raises_before_its_answer(
    server: Server, how: str, when: str
) -> None:
    is_internal_error(server, f"/fails?when={when}&how={how}")
    assert server.running()


@pytest.mark.parametrize("when", ["at-once", "after-await"])
def test_application_returns_without_answer(server: Server, when: str) -> None:
    is_internal_error(
        server,
        f"/fails?when={when}&how=return",
        log="ASGI callable returned without starting response.",
    )


@pytest.mark.parametrize(
    ("how", "log"),
    [
        ("exception", "Exception in ASGI application"),
        ("return", "ASGI callable returned without completing response."),
    ],
)
def test_application_gives_up_in_the_middle(server: Server, how: str, log: str) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        said = wire.send(get(f"/fails?when=after-piece&how={how}")).rest()
        assert (
            said
            == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\npiece\r\n"
        )
    server.stderr.wait_for(f"^ERROR:    {re.escape(log)}$", start=before)


@pytest.mark.parametrize(
    ("how", "log"),
    [
        ("exception", "Exception in ASGI application"),
        ("return", "ASGI callable returned without completing response."),
    ],
)
def test_application_gives_up_after_start(server: Server, how: str, log: str) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        said = wire.send(get(f"/fails?when=after-start&how={how}")).rest()
        # The start may still be held back, or be on its way; the answer must not look whole.
        assert not said.endswith(b"0\r\n\r\n")
    server.stderr.wait_for(f"^ERROR:    {re.escape(log)}$", start=before)


@pytest.mark.parametrize(
    ("how", "log"),
    [
        ("exception", "Exception in ASGI application"),
        ("return-value", "ASGI callable should return None, but returned '5'."),
    ],
)
def test_application_fails_after_its_answer(server: Server, how: str, log: str) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        said = wire.send(get(f"/fails?when=after-end&how={how}")).rest()
        assert said == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    server.stderr.wait_for(f"^ERROR:    {re.escape(log)}$", start=before)


def test_traceback_of_a_failure_is_logged(server: Server) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        wire.send(get("/fails?when=at-once&how=exception")).response()
    server.stderr.wait_for(
        r"^ERROR:    Exception in ASGI application\nTraceback \(most recent call last\):\n"
        r'[\s\S]*apps/responses\.py", line \d+, in fails\n[\s\S]*^ValueError: a failure$',
        start=before,
    )
