"""What is accepted as a request and what is refused, byte for byte (RFC 9112)."""

import pytest

from conftest import BARE, Placement, Pool
from harness.server import Server
from harness.wire import Wire

INVALID = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: 30\r\n"
    b"connection: close\r\n"
    b"\r\n"
    b"Invalid HTTP request received."
)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get("apps.wire:app", *placement.options, *BARE)


def mirrored(server: Server, request: bytes) -> bytes:
    """The application's answer to `request`; fails unless the connection is good for another one."""
    with server.connect() as wire:
        response = wire.send(request).response()
        assert response.status == 200, response.raw
        assert (
            wire.send(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n").response().body
            == b"GET /next|/next||"
        )
        return response.body


def refused(server: Server, request: bytes, status: int = 400) -> None:
    """Fails unless exactly one refusal comes, and then the end: nothing behind `request` is served."""
    before = server.stderr.size()
    with server.connect() as wire:
        wire.send(request + SMUGGLED)
        if status == 400:
            assert wire.rest() == INVALID
        else:
            response = wire.response()
            assert response.status == status
            assert response.get(b"connection") == b"close"
            assert response.framing == "length"
            wire.expect_end()
    more = "" if status == 400 else f": {status} .+"
    expected = rf"Invalid HTTP request received{more}\.$"
    server.stderr.wait_for(f"^WARNING:  {expected}", start=before)


# --- The request line -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["GET", "POST", "DELETE", "get", "FOO", "M-SEARCH", "x!#$%&'*+-.^_`|~9"]
)
def test_any_method_token_is_served_as_sent(server: Server, method: str) -> None:
    body = mirrored(server, f"{method} /a HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert body == f"{method} /a|/a||".encode()


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        (b"/", b"GET /|/||"),
        (b"/a/b", b"GET /a/b|/a/b||"),
        (b"/a?", b"GET /a|/a||"),
        (b"/a?b=c&d", b"GET /a|/a|b=c&d|"),
        (b"/a?b?c", b"GET /a|/a|b?c|"),
        (b"/a%20b", b"GET /a b|/a%20b||"),
        (b"//a//", b"GET //a//|//a//||"),
        (b"/a/../b", b"GET /a/../b|/a/../b||"),
        (b"/a#frag", b"GET /a|/a||"),
        (b"/a?b#frag", b"GET /a|/a|b|"),
        (b"/a;b=c", b"GET /a;b=c|/a;b=c||"),
        (b'/"<>\\^`{|}', b'GET /"<>\\^`{|}|/"<>\\^`{|}||'),
        (b"http://other/a?b", b"GET /a|/a|b|"),
        (b"http://other:81/a", b"GET /a|/a||"),
        (b"HTTP://other/a", b"GET /a|/a||"),
        (b"http://other", b"GET /|/||"),
        (b"http://other?b", b"GET /|/|b|"),
    ],
)
def test_targets(server: Server, target: bytes, answer: bytes) -> None:
    assert (
        mirrored(server, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n") == answer
    )


def test_asterisk_target(server: Server) -> None:
    assert (
        mirrored(server, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n") == b"OPTIONS *|*||"
    )


@pytest.mark.parametrize("blank_lines", [b"\r\n", b"\r\n\r\n"])
def test_empty_lines_before_a_request_are_skipped(
    server: Server, blank_lines: bytes
) -> None:
    assert (
        mirrored(server, blank_lines + b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        == b"GET /a|/a||"
    )


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_versions(server: Server, version: bytes) -> None:
    with server.connect() as wire:
        wire.send(
            b"GET /version HTTP/"
            + version
            + b"\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert wire.response().body == version
        wire.expect_end()


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/3.0"])
def test_other_major_versions(server: Server, version: bytes) -> None:
    refused(server, b"GET / " + version + b"\r\nHost: x\r\n\r\n", status=505)


def test_http_2_preface(server: Server) -> None:
    refused(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status=505)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /",
        b"GET",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET\t/\tHTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /a b HTTP/1.1",
        b"GET HTTP/1.1",
        b"GET / HTTP/1.",
        b"GET / HTTP/x.1",
        b"GET / HTTP/1.1x",
        b"GET / HTTP/11",
        b"GET / HTTP/01.1",
        b"GET / http/1.1",
        b"GET / HTTQ/1.1",
        b"GET /caf\xc3\xa9 HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /a\rb HTTP/1.1",
        b"G\x00T / HTTP/1.1",
        b"GE(T / HTTP/1.1",
        b"GE:T / HTTP/1.1",
        b"caf\xc3\xa9 / HTTP/1.1",
    ],
)
def test_malformed_request_line(server: Server, line: bytes) -> None:
    refused(server, line + b"\r\nHost: x\r\n\r\n")


def test_connect_is_not_ours(server: Server) -> None:
    refused(server, b"CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\n\r\n", status=501)


def test_tls_client_hello_is_refused_at_once(server: Server) -> None:
    with server.connect() as wire:
        # The record's first bytes are enough: the client waits for an answer after its hello.
        wire.send(b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03" + bytes(range(32)))
        assert wire.rest() == INVALID


def test_noise_is_refused_at_once(server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"\x00\x00\x00\x00")
        assert wire.rest() == INVALID


def test_bare_line_feeds(server: Server) -> None:
    refused(server, b"GET / HTTP/1.1\nHost: x\n\n")


# --- Headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"X-Test : v",
        b"X-Test\t: v",
        b" X-Test: v",
        b"\tX-Test: v",
        b"X Test: v",
        b": v",
        b"X-Test",
        b"X-Test(: v",
        b"X-T\xe9st: v",
        b"X-T\x00st: v",
        b"X-Test: a\x00b",
        b"X-Test: a\rb",
        b"X-Test: a\nb",
        b"X-Test: a\n",
        b"X-Test: a\r",
        b"X-Test: a\r\n folded",
        b"X-Test: a\r\n\tfolded",
        b"X-Test:\r\n folded",
    ],
)
def test_malformed_header(server: Server, line: bytes) -> None:
    refused(server, b"GET / HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n")


def test_fold_on_the_first_header(server: Server) -> None:
    refused(server, b"GET / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"X-Test: v", b"v"),
        (b"X-Test:v", b"v"),
        (b"X-Test:", b""),
        (b"X-Test:   ", b""),
        (b"X-Test:  v\t ", b"v"),
        (b"x-TEST: v w", b"v w"),
        (b"X-Test: caf\xe9", b"caf\xe9"),
        (b"X-Test: \xff\xfe", b"\xff\xfe"),
        (b"X-Test: a\tb", b"a\tb"),
        (b"X-Test: a:b", b"a:b"),
        (b"X-Test: a\r\nX-Test: b", b"a|b"),
    ],
)
def test_header_values(server: Server, line: bytes, value: bytes) -> None:
    assert (
        mirrored(server, b"GET /header HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n")
        == value
    )


@pytest.mark.parametrize(
    "headers", [b"", b"Host: x\r\nHost: x\r\n", b"Host: x\r\nHost: y\r\n"]
)
def test_host_must_be_there_once(server: Server, headers: bytes) -> None:
    refused(server, b"GET / HTTP/1.1\r\n" + headers + b"\r\n")


def test_host_may_be_empty(server: Server) -> None:
    assert mirrored(server, b"GET /a HTTP/1.1\r\nHost:\r\n\r\n") == b"GET /a|/a||"


def test_http_1_0_needs_no_host(server: Server) -> None:
    with server.connect() as wire:
        assert wire.send(b"GET /a HTTP/1.0\r\n\r\n").response().body == b"GET /a|/a||"
        wire.expect_end()


# --- Where a body ends ------------------------------------------------------------------------


def post(headers: bytes, body: bytes = b"", path: bytes = b"/a") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: 5", b"hello"),
        (b"Content-Length: 0", b""),
        (b"Content-Length: 005", b"hello"),
        (b"content-length:5", b"hello"),
        (b"CONTENT-LENGTH:  5  ", b"hello"),
    ],
)
def test_content_length(server: Server, headers: bytes, body: bytes) -> None:
    assert mirrored(server, post(headers, body)) == b"POST /a|/a||" + body


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length: 5, 5",
        b"Content-Length: 5,5",
        b"Content-Length: 5 5",
        b"Content-Length: 5;",
        b"Content-Length: 0x5",
        b"Content-Length: 5.0",
        b"Content-Length: 5e0",
        b"Content-Length: five",
        b"Content-Length:",
        b"Content-Length: \xb2",
        b"Content-Length: 18446744073709551616",
        b"Content-Length: 99999999999999999999999999",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nX: y\r\ncontent-length: 0",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: gzip\r\nContent-Length: 5",
    ],
)
def test_length_that_two_readers_could_read_differently(
    server: Server, headers: bytes
) -> None:
    refused(server, post(headers, b"0\r\n\r\n"))


@pytest.mark.parametrize(
    ("body", "decoded"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"0\r\n\r\n", b""),
        (b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"0005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"5;name\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;name=value\r\nhello\r\n0;last\r\n\r\n", b"hello"),
        (b'5;name="quoted; text"\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b"5\r\nhello\r\n0\r\nTrailer: dropped\r\nX-Other: too\r\n\r\n", b"hello"),
        (b"5\r\n\r\n0\r\n\r\n0\r\n\r\n", b"\r\n0\r\n"),
    ],
)
def test_chunked(server: Server, body: bytes, decoded: bytes) -> None:
    assert (
        mirrored(server, post(b"Transfer-Encoding: chunked", body))
        == b"POST /a|/a||" + decoded
    )


@pytest.mark.parametrize("value", [b"Chunked", b"CHUNKED", b"chunked ", b"\tchunked"])
def test_spellings_of_chunked(server: Server, value: bytes) -> None:
    assert (
        mirrored(server, post(b"Transfer-Encoding:" + value, b"1\r\nx\r\n0\r\n\r\n"))
        == b"POST /a|/a||x"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5h\r\nhello\r\n0\r\n\r\n",
        b"5_\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"5;a\x00b\r\nhello\r\n0\r\n\r\n",
        b"10000000000000000\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"0" * 20_000 + b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
        b"5\r\nhello\r\n0\r\nTrailer : x\r\n\r\n",
        b"5\r\nhello\r\n0\r\nTrailer: x\n\r\n",
        b"5\r\nhello\r\n0\r\n folded\r\n\r\n",
        b"5\r\nhello\r\n0\n\r\n",
        b"5\r\nhello\r\n0\r\n\n",
    ],
)
def test_malformed_chunks(server: Server, body: bytes) -> None:
    refused(server, post(b"Transfer-Encoding: chunked", body))


def test_many_short_chunk_extensions_are_refused(server: Server) -> None:
    # The limit is on the sum, or a body of one-byte chunks carries any amount of extensions.
    chunk = b"1;" + b"e" * 200 + b"\r\nx\r\n"
    with server.connect() as wire:
        try:
            wire.send(
                post(b"Transfer-Encoding: chunked", chunk * 20_000 + b"0\r\n\r\n")
            )
        except ConnectionError:
            pass  # It was refused before all was sent.
        assert wire.rest().startswith(b"HTTP/1.1 400 ") or wire.was_reset


def test_endless_trailers_are_refused(server: Server) -> None:
    with server.connect() as wire:
        try:
            wire.send(
                post(
                    b"Transfer-Encoding: chunked",
                    b"0\r\n" + b"T: x\r\n" * 50_000 + b"\r\n",
                )
            )
        except ConnectionError:
            pass
        assert wire.rest().startswith(b"HTTP/1.1 4") or wire.was_reset


@pytest.mark.parametrize(
    "coding", [b"gzip", b"gzip, chunked", b"identity", b"xchunked", b"foo"]
)
def test_transfer_coding_that_we_do_not_have(server: Server, coding: bytes) -> None:
    refused(server, post(b"Transfer-Encoding: " + coding, b"0\r\n\r\n"), status=501)


@pytest.mark.parametrize(
    "headers",
    [
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding: chunked;q=1",
        b'Transfer-Encoding: "chunked"',
        b"Transfer-Encoding:",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: chunked\r\n\x20x",
    ],
)
def test_malformed_transfer_encoding(server: Server, headers: bytes) -> None:
    refused(server, post(headers, b"0\r\n\r\n"))


def test_transfer_encoding_in_http_1_0(server: Server) -> None:
    refused(
        server,
        b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )


def test_request_without_length_has_no_body(server: Server) -> None:
    assert mirrored(server, b"POST /a HTTP/1.1\r\nHost: x\r\n\r\n") == b"POST /a|/a||"


def test_get_may_have_a_body(server: Server) -> None:
    request = b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    assert mirrored(server, request) == b"GET /a|/a||hello"


def test_application_learns_of_a_broken_body(server: Server) -> None:
    ticket = server.ticket()
    path = f"/body-fate?ticket={ticket}".encode()
    with server.connect() as wire:
        wire.send(post(b"Transfer-Encoding: chunked", b"5\r\nhello\r\n", path))
        assert server.reported(ticket) == "begun"
        wire.send(b"xyz\r\n")
        assert wire.rest() == INVALID
    assert server.reported(ticket) == "disconnected"


def test_broken_body_after_the_answer_has_begun(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(
            post(
                b"Transfer-Encoding: chunked",
                b"5\r\nhello\r\n",
                f"/early?ticket={ticket}".encode(),
            )
        )
        begun = wire.until(b"early\r\n")
        assert (
            begun
            == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nearly\r\n"
        )
        wire.send(b"xyz\r\n")
        # No second answer, and no end that makes the first one look whole.
        wire.expect_end()
    assert server.reported(ticket) == "disconnected"


# --- Requests in pieces -----------------------------------------------------------------------

STREAM = (
    b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    b"POST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;e=f\r\nworld\r\n0\r\nT: u\r\n\r\n"
    b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
)
STREAM_ANSWERS = [
    b"GET /a|/a|b|",
    b"POST /c|/c||hello",
    b"POST /d|/d||world",
    b"GET /last|/last||",
]


def stream_is_answered(wire: Wire) -> None:
    assert [wire.response().body for _ in STREAM_ANSWERS] == STREAM_ANSWERS
    wire.expect_end()


def test_stream_cut_at_every_byte(server: Server) -> None:
    for cut in range(1, len(STREAM)):
        with server.connect() as wire:
            wire.send(STREAM[:cut]).send(STREAM[cut:])
            stream_is_answered(wire)


def test_stream_byte_by_byte(server: Server) -> None:
    with server.connect() as wire:
        for at in range(len(STREAM)):
            wire.send(STREAM[at : at + 1])
        stream_is_answered(wire)


def test_refusal_comes_after_the_answers_before_it(server: Server) -> None:
    with server.connect() as wire:
        wire.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nbad\r\n\r\n" + SMUGGLED)
        assert wire.response().body == b"GET /a|/a||"
        assert wire.rest() == INVALID


@pytest.mark.parametrize(
    "piece", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"]
)
def test_end_in_the_middle_of_a_head(server: Server, piece: bytes) -> None:
    with server.connect() as wire:
        said = wire.send(piece).half_close().rest()
        assert said == b"" or said == INVALID


def test_end_in_the_middle_of_a_body(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(
            post(
                b"Content-Length: 10", b"hello", f"/body-fate?ticket={ticket}".encode()
            )
        ).half_close()
        assert b" 200 " not in wire.rest()
    assert server.reported(ticket) == "begun"
    assert server.reported(ticket) == "disconnected"


# --- Upgrades ---------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [b"foo", b"h2c", b"foo/2, bar"])
def test_upgrade_that_we_do_not_do_is_served_without_it(
    server: Server, protocol: bytes
) -> None:
    before = server.stderr.size()
    headers = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\nContent-Length: 5"
    assert mirrored(server, post(headers, b"hello")) == b"POST /a|/a||hello"
    server.stderr.wait_for("^WARNING:  Unsupported upgrade request.$", start=before)


def test_requests_behind_an_upgrade_are_kept(server: Server) -> None:
    upgrade = (
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
    )
    with server.connect() as wire:
        wire.send(upgrade + b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.response().body == b"GET /a|/a||"
        assert wire.response().body == b"GET /b|/b||"


def test_upgrade_without_the_connection_option_is_no_upgrade(server: Server) -> None:
    assert (
        mirrored(server, post(b"Upgrade: foo\r\nContent-Length: 2", b"hi"))
        == b"POST /a|/a||hi"
    )
