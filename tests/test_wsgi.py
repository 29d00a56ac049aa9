"""WSGI (PEP 3333): the environ, the response, errors, as bytes on the wire."""

import re
from collections.abc import Iterator
from pathlib import Path
from signal import Signals
from typing import Any
from urllib.parse import quote

import pytest

from conftest import BARE, Placement, Pool, Start
from harness.certificates import Authority
from harness.server import Server
from harness.trace import Trace

APP = "apps.wsgi:app"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, *BARE)


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode("latin-1")


def post(path: str, body: bytes, *headers: str) -> bytes:
    return get(path, f"Content-Length: {len(body)}", *headers, method="POST") + body


def exchange(server: Server, request: bytes) -> bytes:
    """All bytes of the answer."""
    with server.connect() as wire:
        return wire.send(request).response().raw


def told(status: str = "200 OK", **more: str) -> str:
    return "/as-told?" + "&".join(
        f"{key}={quote(value)}" for key, value in {"status": status, **more}.items()
    )


# --- The environ ------------------------------------------------------------------------------


def environ(server: Server, path: str = "/environ", *headers: str) -> dict[str, Any]:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"{path}?ticket={ticket}", *headers)).response()
    found = server.reported(ticket)
    assert isinstance(found, dict)
    return found


def test_the_environ(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        request = f"POST /%65nviron?ticket={ticket}&a=%20 HTTP/1.1\r\nHost: h:1\r\n"
        request += (
            "Content-Type: text/x\r\nContent-Length: 2\r\nX-Mine:  a b \r\n\r\nhi"
        )
        wire.send(request.encode()).response()
        assert server.reported(ticket) == {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/environ",
            "QUERY_STRING": f"ticket={ticket}&a=%20",
            "RAW_URI": f"/%65nviron?ticket={ticket}&a=%20",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "smolcorn",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(server.port),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": str(wire.local_port),
            "CONTENT_TYPE": "text/x",
            "CONTENT_LENGTH": "2",
            "HTTP_HOST": "h:1",
            "HTTP_X_MINE": "a b",
            "wsgi.version": [1, 0],
            "wsgi.url_scheme": "http",
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }


def test_repeated_headers(server: Server) -> None:
    found = environ(
        server,
        "/environ",
        "X-A: 1",
        "x-a: 2",
        "Accept: 3",
        "accept: 4",
        "Cookie: a=b",
        "Cookie: c=d",
        "X-L: \xe9",
        "X-L: \xe8",
        "Content-Type: a/b",
        "Content-Type: c/d",
    )
    assert found["HTTP_X_A"] == "1,2"
    assert found["HTTP_ACCEPT"] == "3,4"
    assert found["HTTP_COOKIE"] == "a=b; c=d"
    assert found["HTTP_X_L"] == "\xe9,\xe8"
    assert found["CONTENT_TYPE"] == "c/d"


def test_headers_with_an_underscore_are_left_out(server: Server) -> None:
    found = environ(server, "/environ", "X_User: root", "X-User: me", "Content_Type: x")
    assert found["HTTP_X_USER"] == "me"
    assert "CONTENT_TYPE" not in found and "HTTP_CONTENT_TYPE" not in found


def test_http_1_0(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(f"GET /environ?ticket={ticket} HTTP/1.0\r\n\r\n".encode())
        response = wire.response()
        assert response.raw.endswith(b"content-length: 0\r\nconnection: close\r\n\r\n")
    assert server.reported(ticket)["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_paths_are_native_strings(start: Start, placement: Placement) -> None:
    server = start(
        "apps.wsgi:show", *placement.options, *BARE, "--root-path", "/r\u00e4um/"
    )
    found = environ(server, "/caf%C3%A9/%2F%ff/a+b")
    assert found["PATH_INFO"] == "/caf\u00c3\u00a9//\xff/a+b"
    assert found["SCRIPT_NAME"] == "/r\u00c3\u00a4um"
    assert found["RAW_URI"].startswith("/caf%C3%A9/%2F%ff/a+b?")


def test_a_trusted_proxy_is_believed(server: Server) -> None:
    found = environ(
        server,
        "/environ",
        "X-Forwarded-For: 192.0.2.1:70",
        "X-Forwarded-Proto: https",
    )
    assert found["REMOTE_ADDR"] == "192.0.2.1" and found["REMOTE_PORT"] == "70"
    assert found["wsgi.url_scheme"] == "https"


def test_a_unix_socket(start: Start, placement: Placement, tmp_path: Path) -> None:
    arguments = ("--uds", str(tmp_path / "s"), *BARE)
    server = start(APP, *placement.options, *arguments)
    found = environ(server)
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("localhost", "80")
    assert found["REMOTE_ADDR"] == "" and "REMOTE_PORT" not in found


def test_what_is_said_of_threads_and_processes(start: Start) -> None:
    server = start(APP, "--wsgi-threads", "1", "--workers", "2", *BARE)
    found = environ(server)
    assert found["wsgi.multithread"] is False and found["wsgi.multiprocess"] is True


def test_threads_are_python_threads(server: Server) -> None:
    with server.connect() as wire:
        body = wire.send(get("/thread")).response().body
    assert re.fullmatch(rb"wsgi-\d+ True", body)


# --- Responses --------------------------------------------------------------------------------


def test_a_simple_answer(server: Server) -> None:
    assert exchange(server, get("/")) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
    )


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (told(body="a|b|c"), b"content-length: 3\r\n\r\nabc"),
        (told(body="a|b|c", kind="tuple"), b"content-length: 3\r\n\r\nabc"),
        (told(kind="empty"), b"content-length: 0\r\n\r\n"),
        (
            told(body="a||bc", kind="generator"),
            b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        ),
        (told(kind="generator"), b"content-length: 0\r\n\r\n"),
        (
            told(body="a|bc", kind="generator", headers="content-length:3"),
            b"content-length: 3\r\n\r\nabc",
        ),
        (told(body="abc", headers="Content-Length:3"), b"content-length: 3\r\n\r\nabc"),
        (
            told(body="a", headers="X-A:1|x-a:2|Set-Cookie:b"),
            b"x-a: 1\r\nx-a: 2\r\nset-cookie: b\r\ncontent-length: 1\r\n\r\na",
        ),
    ],
)
def test_bodies(server: Server, path: str, answer: bytes) -> None:
    assert exchange(server, get(path)) == b"HTTP/1.1 200 OK\r\n" + answer


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_a_body(server: Server, status: str) -> None:
    with server.connect() as wire:
        for kind in ("list", "generator"):
            wire.send(get(told(status, body="abc", kind=kind)))
            raw = f"HTTP/1.1 {status}\r\n\r\n".encode()
            assert wire.response().raw == raw


def test_head(server: Server) -> None:
    with server.connect() as wire:
        for path, line in [
            (told(body="abc"), b"content-length: 3\r\n"),
            (told(body="abc", headers="content-length:9"), b"content-length: 9\r\n"),
            (told(kind="empty", headers="content-length:9"), b"content-length: 9\r\n"),
            (told(kind="empty"), b""),
            (told(body="a|b", kind="generator"), b""),
        ]:
            wire.send(get(path, method="HEAD"))
            response = wire.response(head_only=True)
            assert response.raw == b"HTTP/1.1 200 OK\r\n" + line + b"\r\n"


def test_the_reason_is_the_servers(server: Server) -> None:
    assert exchange(server, get(told("404 Gone fishing", body="a"))).startswith(
        b"HTTP/1.1 404 Not Found\r\n"
    )
    assert exchange(server, get(told("299", body="a"))).startswith(b"HTTP/1.1 299 ")


def test_headers_of_the_connection_are_the_servers(server: Server) -> None:
    headers = "Keep-Alive:1|TE:a|Trailer:b|Upgrade:c|Transfer-Encoding:gzip|X:y"
    path = told(body="a", headers=headers + "|Connection:close")
    with server.connect() as wire:
        assert wire.send(get(path)).response().raw == (
            b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 1\r\nconnection: close\r\n\r\na"
        )
        wire.expect_end()


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        ("bytes-status", "TypeError: The status must be a str, not b'200 OK'."),
        ("int-status", "TypeError: The status must be a str, not 200."),
        ("text-status", 'ValueError: Invalid HTTP status "OK":'),
        ("informational", 'ValueError: Invalid HTTP status "101 Switching Protocols":'),
        ("line-in-status", "ValueError: Invalid HTTP status"),
        ("tuple-headers", "TypeError: The headers must be a list, not (('a', 'b'),)."),
        ("list-header", "TypeError: A header must be a tuple of name and value, not"),
        ("one-item", "TypeError: A header must be a tuple of name and value, not"),
        ("bytes-name", "TypeError: A header's name must be a str, not b'a'."),
        ("bytes-value", "TypeError: A header's value must be a str, not b'b'."),
        ("int-value", "TypeError: A header's value must be a str, not 1."),
        ("line-in-value", "ValueError: Invalid HTTP header value."),
        ("blank-in-name", "ValueError: Invalid HTTP header name."),
        ("not-latin", 'ValueError: Invalid HTTP header: "\u20ac" is not Latin-1.'),
        ("length", "ValueError: Invalid HTTP header value: content-length."),
    ],
)
def test_what_start_response_refuses(server: Server, mistake: str, error: str) -> None:
    with server.connect() as wire:
        body = wire.send(get(f"/bad?mistake={mistake}")).response().body
    assert body.decode().startswith(error)


def test_write(server: Server) -> None:
    assert exchange(server, get("/write")) == (
        b"HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n"
        b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"
    )


def test_what_is_written_goes_out_at_once(server: Server) -> None:
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as opener:
        wire.send(get(f"/write-and-wait?ticket={ticket}")).until(b"first\r\n")
        opener.send(get(f"/open?ticket={ticket}")).response()
        assert wire.until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


def test_many_requests_on_one_connection(server: Server) -> None:
    with server.connect() as wire:
        wire.send((get("/") + post("/echo", b"abc")) * 50)
        for _ in range(50):
            assert wire.response().body == b"hello"
            assert wire.response().body == b"abc"


def test_requests_run_beside_each_other(server: Server) -> None:
    ticket = server.ticket()
    wires = [server.connect() for _ in range(8)]
    for wire in wires:
        wire.send(get(f"/waits?ticket={ticket}"))
    for _ in wires:
        assert server.reported(ticket) == "waiting"
    with server.connect() as opener:
        opener.send(get(f"/open?ticket={ticket}")).response()
    for wire in wires:
        assert wire.response().body == b"waited"
        wire.close()


def test_no_more_run_than_there_are_threads(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, *BARE, "--wsgi-threads", "2")
    ticket = server.ticket()
    wires = [server.connect() for _ in range(3)]
    for wire in wires:
        wire.send(get(f"/gated?ticket={ticket}"))
    assert [server.reported(ticket) for _ in range(2)] == ["waiting"] * 2
    assert server.report_count(ticket) == 2
    for wire in wires:
        wire.reset()


def test_an_upgrade_is_a_request_like_others(server: Server) -> None:
    headers = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    before = server.stderr.size()
    with server.connect() as wire:
        assert wire.send(get("/", *headers)).response().body == b"hello"
        assert wire.send(get("/")).response().body == b"hello"
    server.stderr.wait_for("Unsupported upgrade request.", start=before)


# --- Errors -----------------------------------------------------------------------------------

FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 21\r\nconnection: close\r\n\r\nInternal Server Error"
)
RAISED = "ERROR:    Exception in WSGI application\nTraceback"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("at-once", "LookupError: mine"),
        ("after-start", "LookupError: mine"),
        ("exit", "SystemExit: 7"),
        ("nothing", "TypeError: 'NoneType' object is not iterable"),
        ("text", "TypeError: The body of a response must be bytes, not str."),
        ("bytes", "TypeError: The body of a response must be bytes, not int."),
        ("twice", "AssertionError: start_response() was called a second time"),
        ("silent-generator", "AssertionError: write() before start_response()"),
        (
            "long-list-length",
            "RuntimeError: Response content longer than Content-Length",
        ),
    ],
)
def test_errors_before_the_response(server: Server, kind: str, said: str) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        wire.send(get(f"/error?kind={kind}"))
        assert wire.response().raw == FAILED
        wire.expect_end()
    server.stderr.wait_for(re.escape(said), start=before)
    assert server.stderr.since(before).startswith(RAISED)


def test_start_response_was_forgotten(server: Server) -> None:
    before = server.stderr.size()
    assert exchange(server, get("/error?kind=silent")) == FAILED
    line = "ERROR:    WSGI callable returned without calling start_response.\n"
    server.stderr.wait_for(re.escape(line), start=before)
    assert server.stderr.since(before) == line


def test_an_error_in_the_middle_cuts_the_connection(server: Server) -> None:
    ticket = server.ticket()
    before = server.stderr.size()
    with server.connect() as wire:
        wire.send(get(f"/error?kind=middle&ticket={ticket}"))
        assert wire.rest().endswith(b"\r\n\r\n5\r\nfirst\r\n")
    assert server.reported(ticket) == "closed"
    server.stderr.wait_for("LookupError: mine", start=before)


@pytest.mark.parametrize(
    ("kind", "sent", "said"),
    [
        ("short-length", b"12345", "shorter"),
        ("short-list-length", b"123", "shorter"),
        ("long-length", b"12345", "longer"),
    ],
)
def test_bodies_of_a_wrong_length(
    server: Server, kind: str, sent: bytes, said: str
) -> None:
    before = server.stderr.size()
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/error?kind={kind}&ticket={ticket}"))
        assert wire.rest() == b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n" + sent
    server.stderr.wait_for(f"Response content {said} than Content-Length", start=before)


@pytest.mark.parametrize("way", ["", "named"])
def test_exc_info(server: Server, way: str) -> None:
    assert exchange(server, get(f"/exc-info?{way}")) == (
        b"HTTP/1.1 503 Service Unavailable\r\nx-b: 2\r\ncontent-length: 5\r\n\r\nsorry"
    )


@pytest.mark.parametrize("way", ["", "&named"])
def test_exc_info_after_the_head(server: Server, way: str) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        wire.send(get(f"/exc-info?late{way}"))
        assert wire.rest().endswith(b"5\r\nfirst\r\n")
    said = server.stderr.wait_for("LookupError: mine", start=before)
    assert said and 'raise LookupError("mine")' in server.stderr.since(before)


def test_an_error_in_close(server: Server) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        assert wire.send(get("/close-raises")).response().body == b"fine"
        wire.expect_end()
    server.stderr.wait_for("LookupError: mine", start=before)


# --- Files ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served_file(
    tmp_path_factory: pytest.TempPathFactory, placement: Placement
) -> Iterator[tuple[Server, bytes]]:
    content = bytes(range(256)) * 3000
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(content)
    arguments = (APP, "--port", "0", *placement.options, *BARE)
    server = Server(*arguments, env={"TEST_FILE": str(path)}).wait_until_ready()
    yield server, content
    server.kill()


@pytest.mark.parametrize(
    ("kind", "framing"),
    [
        ("real", "length"),
        ("moved", "chunked"),
        ("memory", "chunked"),
        ("no-close", "chunked"),
        ("walked", "chunked"),
    ],
)
def test_files(served_file: tuple[Server, bytes], kind: str, framing: str) -> None:
    server, content = served_file
    server.mark_use()
    with server.connect() as wire:
        for _ in range(2):
            response = wire.send(get(f"/file?kind={kind}")).response()
            assert response.body == content[10 if kind == "moved" else 0 :]
            assert response.framing == framing
        head = wire.send(get(f"/file?kind={kind}", method="HEAD"))
        assert head.response(head_only=True).status == 200
        assert wire.send(get("/")).response().body == b"hello"


def test_no_more_of_a_file_than_was_declared(served_file: tuple[Server, bytes]) -> None:
    server, content = served_file
    server.mark_use()
    with server.connect() as wire:
        response = wire.send(get("/file?length=1000")).response()
        assert response.body == content[:1000] and response.framing == "length"


def test_a_file_is_closed(served_file: tuple[Server, bytes]) -> None:
    server, content = served_file
    server.mark_use()
    ticket = server.ticket()
    with server.connect() as wire:
        assert wire.send(get(f"/file?ticket={ticket}")).response().body == content
    assert server.reported(ticket) == "closed"


def test_tls(
    start: Start, placement: Placement, authority: Authority, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 3000
    (tmp_path / "file").write_bytes(content)
    issued = authority.issue("localhost", "127.0.0.1")
    options = (*placement.options, *BARE, *issued.options)
    server = start(APP, *options, env={"TEST_FILE": str(tmp_path / "file")})
    ticket = server.ticket()
    with server.connect_tls(authority.context()) as wire:
        wire.send(get(f"/environ?ticket={ticket}")).response()
        assert server.reported(ticket)["wsgi.url_scheme"] == "https"
        assert wire.send(get("/file")).response().body == content
        wire.send(post("/echo", content))
        assert wire.response().body == content


# --- Contexts, logs, limits -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "word"),
    [((), b"clean by the module"), (("--reset-contextvars",), b"clean nothing")],
)
def test_contexts(
    pool: Pool, placement: Placement, option: tuple[str, ...], word: bytes
) -> None:
    server = pool.get(APP, *placement.options, *BARE, *option)
    with server.connect() as wire:
        for _ in range(3):
            assert wire.send(get("/context")).response().body == word


def test_the_access_log(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as streaming:
        wire.send(get("/?a=%20b")).response()
        port = wire.local_port
        server.stdout.wait_for(f'127.0.0.1:{port} - "GET /\\?a=%20b HTTP/1.1" 200 OK\n')
        streaming.send(get(f"/gated?ticket={ticket}")).until(b"first\r\n")
        # A response that goes on is in the log already.
        server.stdout.wait_for('"GET /gated')
        wire.send(get(f"/open?ticket={ticket}")).response()
        wire.send(get("/error?kind=at-once")).response()
        server.stdout.wait_for(
            '"GET /error\\?kind=at-once HTTP/1.1" 500 Internal Server'
        )


def test_traces_show_what_is_sent(
    start: Start, placement: Placement, tmp_path: Path
) -> None:
    file = tmp_path / "trace.json"
    server = start(APP, *placement.options, *BARE, "--trace-file", str(file))
    wires = [server.connect() for _ in range(4)]
    for _ in range(20):
        for wire in wires:
            asked = get(
                "/echo", "Content-Length: 3", "Expect: 100-continue", method="POST"
            )
            wire.send(asked)
        for wire in wires:
            wire.until(b"HTTP/1.1 100 Continue\r\n\r\n")
            wire.send(b"abc" + get(told(body="a|b", kind="generator")))
        for wire in wires:
            assert wire.response().body == b"abc" and wire.response().body == b"ab"
    for wire in wires:
        wire.close()
    assert server.stop() == 0
    trace = Trace(file)
    for number in range(1, 5):
        actor = f"connection#{number}"
        responses = trace.spans(actor, "response")
        assert [one["args"]["bytes"] for one in responses] == [3, 1] * 20
        assert {one["args"]["from"] for one in responses} == {"dispatch"}
        assert len(trace.spans(actor, "continue")) == 20
        assert ("dispatch", actor) in trace.arrows()


def test_limit_concurrency(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--limit-concurrency", "2")
    ticket = server.ticket()
    wires = [server.connect() for _ in range(2)]
    for wire in wires:
        wire.send(get(f"/gated?ticket={ticket}")).until(b"first\r\n")
    with server.connect() as wire:
        response = wire.send(get("/")).response()
        assert response.status == 503 and response.get(b"retry-after") == b"1"
        wire.expect_end()
    server.stderr.wait_for("WARNING:  Exceeded concurrency limit.\n")
    server.stdout.wait_for('"GET / HTTP/1.1" 503 Service Unavailable')
    for wire in wires:
        wire.close()


def test_limit_max_requests(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, *BARE, "--limit-max-requests", "3")
    for _ in range(3):
        with server.connect() as wire:
            assert wire.send(get("/")).response().status == 200
    assert server.wait() == 0
    assert "Maximum request limit of 3 exceeded" in server.stderr.text


# --- Start and end ----------------------------------------------------------------------------


@pytest.mark.parametrize("option", [(), ("--interface", "wsgi"), ("--lifespan", "off")])
def test_start_and_end(
    start: Start, placement: Placement, option: tuple[str, ...]
) -> None:
    server = start(APP, *placement.options, *BARE, *option)
    with server.connect() as wire:
        wire.send(get("/")).response()
        assert server.stop() == 0
    assert (
        "Traceback" not in server.stderr.text
        and "I/O threads" not in server.stderr.text
    )
    assert server.stderr.lines[-1].startswith("INFO:     Finished server process")


def test_a_lifespan_is_too_much(launch: Start) -> None:
    server = launch(APP, "--port", "0", "--lifespan", "on")
    assert server.wait() == 3
    assert server.stderr.lines[-1] == (
        'ERROR:    "apps.wsgi:app" is a WSGI application, and WSGI has no lifespan. Start '
        "without '--lifespan on'."
    )


def test_requests_end_before_the_server(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, *BARE)
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as opener:
        wire.send(get(f"/gated?ticket={ticket}")).until(b"first\r\n")
        assert server.reported(ticket) == "waiting"
        opener.send(post(f"/open?ticket={ticket}", b"x")[:-1])
        server.signal(Signals.SIGINT)
        server.stderr.wait_for("Waiting for connections to close")
        # It is served though the server stops, and lets the other one go on.
        assert opener.send(b"x").response().get(b"connection") == b"close"
        assert wire.rest().endswith(b"6\r\nsecond\r\n0\r\n\r\n")
    assert server.reported(ticket) == "closed"
    assert server.wait() == 0


@pytest.mark.parametrize("way", ["waits", "loops"])
def test_requests_that_never_end(start: Start, placement: Placement, way: str) -> None:
    server = start(APP, *placement.options, *BARE, "--timeout-graceful-shutdown", "1")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/{way}?ticket={ticket}"))
        assert server.reported(ticket) == "waiting"
        assert server.stop() == 0
        assert wire.rest() == b""
    assert "Cancel 1 running task(s), timeout graceful shutdown exceeded" in (
        server.stderr.text
    )
