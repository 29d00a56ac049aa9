"""WebSockets on the wire: handshakes, messages, closing, and what the application sees of them."""

import signal
import struct
from typing import Any

import pytest

from conftest import BARE, Placement, Pool, Start
from harness import ws
from harness.certificates import Authority, Issued
from harness.server import Server
from harness.wire import without_date

APP = "apps.sockets:app"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options)


@pytest.fixture
def bare(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, *BARE)


@pytest.fixture
def quiet(pool: Pool, placement: Placement) -> Server:
    """One that no test makes write errors, so that none can be another's."""
    return pool.get(APP, *placement.options, "--backlog", "100")


def open_gate(server: Server, name: str) -> None:
    with server.connect() as wire:
        wire.send(f"GET /?gate={name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert wire.response().body == b"open"


def disconnect(code: int, reason: str = "") -> dict[str, Any]:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


# --- Handshake --------------------------------------------------------------------------------


def test_handshake_byte_for_byte(bare: Server) -> None:
    with bare.connect() as wire:
        wire.send(ws.handshake("/echo") + ws.text("Hello"))
        assert wire.until(b"\r\n\r\n") == (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + ws.ACCEPT + b"\r\n\r\n"
        )
        # A frame that came in the same segment as the handshake is answered.
        assert wire.body_piece(7) == b"\x81\x05Hello"


def test_headers_of_the_answer_in_their_order(
    start: Start, placement: Placement
) -> None:
    server = start(APP, *placement.options, "--header", "x-more:here")
    with ws.connect(
        server, "/accept?protocol=b", b"Sec-WebSocket-Protocol: a, b"
    ) as socket:
        names = [name for name, _ in socket.headers]
        assert names == [
            b"Upgrade",
            b"Connection",
            b"Sec-WebSocket-Accept",
            b"date",
            b"server",
            b"x-more",
            b"x-one",
            b"x-one",
            b"sec-websocket-protocol",
        ]
        assert socket.headers[-1][1] == b"b"
        assert without_date(socket.answer) != socket.answer


def test_names_of_the_request_in_any_case(server: Server) -> None:
    request = ws.handshake("/echo", upgrade=b"h2c, WebSocket").replace(
        b"Connection: Upgrade", b"connection: keep-alive, UPGRADE"
    )
    with server.connect() as wire:
        assert wire.send(request).until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


def test_scope(server: Server) -> None:
    ticket = server.ticket()
    lines = (b"Sec-WebSocket-Protocol: a, b", b"X-Two: 1", b"Sec-WebSocket-Protocol: c")
    with ws.connect(server, f"/scop%65?ticket={ticket}", *lines) as socket:
        scope = server.reported(ticket)
        port = socket.wire.local_port
    assert list(scope) == [
        "type",
        "asgi",
        "http_version",
        "server",
        "client",
        "scheme",
        "root_path",
        "path",
        "raw_path",
        "query_string",
        "headers",
        "subprotocols",
        "state",
        "extensions",
    ]
    headers = scope.pop("headers")
    assert headers.startswith("[(b'host', b'x'), (b'connection', b'Upgrade')")
    assert headers.endswith(
        "(b'sec-websocket-protocol', b'a, b'), (b'x-two', b'1'), "
        "(b'sec-websocket-protocol', b'c')]"
    )
    assert scope == {
        "type": "'websocket'",
        "asgi": "{'version': '3.0', 'spec_version': '2.5'}",
        "http_version": "'1.1'",
        "server": f"('127.0.0.1', {server.port})",
        "client": f"('127.0.0.1', {port})",
        "scheme": "'ws'",
        "root_path": "''",
        "path": "'/scope'",
        "raw_path": "b'/scop%65'",
        "query_string": repr(f"ticket={ticket}".encode()),
        "subprotocols": "['a', 'b', 'c']",
        "state": "dict",
        "extensions": "{'websocket.http.response': {}}",
    }


def test_forwarded_scheme_becomes_that_of_a_websocket(server: Server) -> None:
    for proto, scheme in ((b"https", "wss"), (b"http", "ws"), (b"wss", "wss")):
        ticket = server.ticket()
        lines = (b"X-Forwarded-Proto: " + proto, b"X-Forwarded-For: 1.2.3.4")
        with ws.connect(server, f"/scope?ticket={ticket}", *lines):
            scope = server.reported(ticket)
        assert (scope["scheme"], scope["client"]) == (repr(scheme), "('1.2.3.4', 0)")


def test_over_tls(start: Start, placement: Placement, authority: Authority) -> None:
    issued = authority.issue("localhost", "127.0.0.1")
    server = start(APP, *placement.options, *issued.options)
    ticket = server.ticket()
    with server.connect_tls(authority.context()) as wire:
        ws.shake_hands(wire, f"/scope?ticket={ticket}")
        scope = server.reported(ticket)
        assert scope["scheme"] == "'wss'"
        assert scope["extensions"].startswith(
            "{'websocket.http.response': {}, 'tls': {"
        )
    with server.connect_tls(authority.context()) as wire:
        socket = ws.shake_hands(wire, "/echo", behind=ws.text("first"))
        assert socket.text() == "first"
        assert socket.ask("x" * 1_000_000) == "x" * 1_000_000
        socket.send(ws.close(1000))
        assert socket.read() == ws.closing(1000)


def test_root_path(pool: Pool, placement: Placement) -> None:
    server = pool.get(APP, *placement.options, "--root-path", "/sc")
    with server.connect() as wire:
        before = server.stderr.size()
        wire.send(ws.handshake("/ope"))
        # There is no such route: the application fails.
        assert wire.response().status == 500
        server.stderr.wait_for("Exception in ASGI application", start=before)


def test_state_is_a_copy(server: Server) -> None:
    for _ in range(2):
        with ws.connect(server, "/state") as socket:
            assert socket.text() == "1"


REFUSED = [
    pytest.param(
        ws.handshake("/echo", key=None),
        400,
        "missing Sec-WebSocket-Key header",
        [],
        id="no-key",
    ),
    pytest.param(
        ws.handshake("/echo", key=b"short"),
        400,
        "invalid Sec-WebSocket-Key header: short",
        [],
        id="bad-key",
    ),
    pytest.param(
        ws.handshake("/echo", version=b"8"),
        426,
        "invalid Sec-WebSocket-Version header: 8",
        [(b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")],
        id="old-version",
    ),
    pytest.param(
        ws.handshake("/echo", method=b"POST"),
        405,
        "unsupported HTTP method: POST",
        [(b"allow", b"GET")],
        id="method",
    ),
]


@pytest.mark.parametrize(("request_", "status", "why", "headers"), REFUSED)
def test_bad_handshakes(
    bare: Server,
    request_: bytes,
    status: int,
    why: str,
    headers: list[tuple[bytes, bytes]],
) -> None:
    before = bare.stderr.size()
    with bare.connect() as wire:
        response = wire.send(request_ + ws.text("never read")).response()
        assert response.status == status
        assert (
            response.body.decode() == f"Failed to open a WebSocket connection: {why}.\n"
        )
        length = str(len(response.body)).encode()
        assert response.headers == [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", length),
            *headers,
            (b"connection", b"close"),
        ]
        wire.expect_end()
    bare.stderr.wait_for(
        f"^WARNING:  Invalid WebSocket handshake received: {status} ", start=before
    )


def test_handshake_with_a_body_is_refused(server: Server) -> None:
    with server.connect() as wire:
        wire.send(ws.handshake("/echo", b"Content-Length: 3") + b"abc")
        assert wire.response().status == 400


def test_handshake_behind_a_request(server: Server) -> None:
    with server.connect() as wire:
        first = b"GET /?gate=none HTTP/1.1\r\nHost: x\r\n\r\n"
        wire.send(first + ws.handshake("/echo") + ws.text("third"))
        assert wire.response().body == b"open"
        assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        assert wire.body_piece(7) == b"\x81\x05third"


def test_http_1_0_knows_no_upgrade(server: Server) -> None:
    with server.connect() as wire:
        request = ws.handshake("/?gate=none").replace(b"HTTP/1.1", b"HTTP/1.0")
        assert wire.send(request).response().status == 200


def test_without_websockets_it_is_a_request(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options, "--ws", "none")
    with server.connect() as wire:
        wire.send(ws.handshake("/?gate=none"))
        assert wire.response().body == b"open"
        server.stderr.wait_for(
            "^WARNING:  Unsupported upgrade request: a client asks for a WebSocket, and "
            "WebSockets are switched off. Start without '--ws none' to serve them.$"
        )


@pytest.mark.parametrize("name", ["auto", "websockets", "websockets-sansio", "wsproto"])
def test_names_of_uvicorns_engines(start: Start, name: str) -> None:
    server = start(APP, "--ws", name)
    with ws.connect(server, "/echo") as socket:
        assert socket.ask("here") == "here"


# --- Before it is accepted --------------------------------------------------------------------


def test_close_before_accept_is_403(bare: Server) -> None:
    ticket = bare.ticket()
    before = bare.stderr.size()
    with bare.connect() as wire:
        wire.send(ws.handshake(f"/close-first?ticket={ticket}"))
        response = wire.response()
        assert response.status == 403
        assert response.headers == [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"0"),
            (b"connection", b"close"),
        ]
        wire.expect_end()
    message, error = bare.reported(ticket)
    assert message == disconnect(1006)
    assert error[:2] == [
        "RuntimeError",
        "Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.",
    ]
    bare.stderr.wait_for(
        rf'^INFO:     127.0.0.1:\d+ - "WebSocket /close-first\?ticket={ticket}" 403\n'
        r"INFO:     connection rejected \(403 Forbidden\)$",
        start=before,
    )


def test_denial_is_streamed(bare: Server) -> None:
    ticket = bare.ticket()
    before = bare.stderr.size()
    with bare.connect() as wire:
        wire.send(ws.handshake(f"/deny?ticket={ticket}"))
        assert bare.reported(ticket)[:2] == [
            "RuntimeError",
            "Expected ASGI message 'websocket.http.response.body', but got 'websocket.close'.",
        ]
        assert wire.until(b"not \r\n") == (
            b"HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\nx-why: because\r\n"
            b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n4\r\nnot \r\n"
        )
        open_gate(bare, ticket)
        assert wire.rest() == b"3\r\nyou\r\n0\r\n\r\n"
    assert bare.reported(ticket)[:2] == [
        "RuntimeError",
        "Unexpected ASGI message 'websocket.http.response.body' sent, after response already "
        "completed.",
    ]
    bare.stderr.wait_for(
        rf'^INFO:     127.0.0.1:\d+ - "WebSocket /deny\?ticket={ticket}" 401\n'
        r"INFO:     connection rejected \(401 Unauthorized\)$",
        start=before,
    )
    assert "ERROR" not in bare.stderr.since(before)
    assert "/deny" not in bare.stdout.text


def test_denial_waits_for_a_slow_client(server: Server) -> None:
    ticket = server.ticket()
    with server.connect(receive_buffer=4096) as wire:
        wire.send(ws.handshake(f"/deny-large?ticket={ticket}"))
        assert server.reported(ticket) > 0, "send() waits, and does not end"
    assert server.reported(ticket) == "ClientDisconnected"


@pytest.mark.parametrize("how", ["raises", "returns"])
def test_denial_that_is_not_completed(server: Server, how: str) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        response = wire.send(ws.handshake(f"/deny-half?how={how}")).response()
        assert (response.status, response.body) == (500, b"Internal Server Error")
    server.stderr.wait_for(
        "Exception in ASGI application"
        if how == "raises"
        else "ASGI callable returned without completing response.",
        start=before,
    )


@pytest.mark.parametrize("how", ["raises", "returns"])
def test_end_before_accept_is_500(server: Server, how: str) -> None:
    before = server.stderr.size()
    with server.connect() as wire:
        response = wire.send(ws.handshake(f"/before-accept?how={how}")).response()
        assert (response.status, response.body) == (500, b"Internal Server Error")
        assert response.get(b"connection") == b"close"
        wire.expect_end()
    server.stderr.wait_for(
        "^ERROR:    Exception in ASGI application$(.|\n)*RuntimeError: before it was accepted"
        if how == "raises"
        else "^ERROR:    ASGI callable returned without completing handshake.$",
        start=before,
    )


@pytest.mark.parametrize(
    ("how", "kind"),
    [("wrong", "websocket.send"), ("body", "websocket.http.response.body")],
)
def test_wrong_message_before_accept(server: Server, how: str, kind: str) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(ws.handshake(f"/before-accept?how={how}&ticket={ticket}"))
        assert wire.response().status == 500
    assert server.reported(ticket)[:2] == [
        "RuntimeError",
        "Expected ASGI message 'websocket.accept', 'websocket.close' or "
        f"'websocket.http.response.start' but got '{kind}'.",
    ]


@pytest.mark.parametrize("way", ["close", "reset"])
def test_client_that_does_not_wait_for_the_answer(quiet: Server, way: str) -> None:
    ticket = quiet.ticket()
    before = quiet.stderr.size()
    wire = quiet.connect()
    wire.send(ws.handshake(f"/before-accept?how=wait&ticket={ticket}"))
    assert quiet.reported(ticket) == "waiting"
    getattr(wire, way)()
    assert quiet.reported(ticket) == disconnect(1006)
    error = quiet.reported(ticket)
    assert (error[0], error[2]) == ("ClientDisconnected", "True")
    assert "ERROR" not in quiet.stderr.since(before)


# --- Messages ---------------------------------------------------------------------------------


def test_messages_as_the_application_gets_them(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/raw?ticket={ticket}") as socket:
        socket.say("grüße").send(ws.frame(ws.BINARY, b"\x00\xff"))
        socket.say("").send(ws.frame(ws.BINARY, b""))
        kind = "'websocket.receive'"
        assert server.reported(ticket) == {"type": kind, "text": "'grüße'"}
        assert server.reported(ticket) == {"type": kind, "bytes": "b'\\x00\\xff'"}
        assert server.reported(ticket) == {"type": kind, "text": "''"}
        assert server.reported(ticket) == {"type": kind, "bytes": "b''"}
        socket.send(ws.close(1000, "bye"))
        assert server.reported(ticket) == {
            "type": "'websocket.disconnect'",
            "code": "1000",
            "reason": "'bye'",
        }


def test_messages_as_the_application_sends_them(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/kinds?ticket={ticket}") as socket:
        assert socket.text() == "both"
        assert socket.read() == ws.Frame(ws.BINARY, b"bytes")
        assert socket.read() == ws.Frame(ws.BINARY, b"bytes win")
        assert socket.read() == ws.Frame(ws.BINARY, b"array")
        assert socket.read() == ws.Frame(ws.BINARY, b"view")
        assert socket.text() == ""
        assert socket.text() == "grüße " * 10_000
        assert server.reported(ticket) == "TypeError"
        assert server.reported(ticket) == "TypeError"
        assert server.reported(ticket) == "UnicodeEncodeError"


@pytest.mark.parametrize(
    "size", [0, 1, 125, 126, 127, 65535, 65536, 1_000_000, 16 * 2**20]
)
def test_sizes(server: Server, size: int) -> None:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    with ws.connect(server, "/echo") as socket:
        socket.send(ws.frame(ws.BINARY, payload))
        assert socket.read() == ws.Frame(ws.BINARY, payload)
        word = "äx" * (size // 3)
        assert socket.ask(word) == word


def test_one_byte_at_a_time(server: Server) -> None:
    with server.connect() as wire:
        for byte in ws.handshake("/echo") + ws.text("grüße"):
            wire.send(bytes([byte]))
        wire.until(b"\r\n\r\n")
        assert wire.body_piece(9) == b"\x81\x07gr\xc3\xbc\xc3\x9fe"


def test_fragments_are_joined_and_pings_between_them_answered(server: Server) -> None:
    with ws.connect(server, "/echo") as socket:
        socket.send(
            ws.frame(ws.TEXT, b"gr\xc3", final=False)
            + ws.frame(ws.PING, b"are you there")
            + ws.frame(ws.CONTINUATION, b"\xbc\xc3\x9f", final=False)
            + ws.frame(ws.CONTINUATION, b"e")
        )
        assert socket.read() == ws.Frame(ws.PONG, b"are you there")
        assert socket.text() == "grüße"


def test_many_messages_in_one_segment(server: Server) -> None:
    with ws.connect(server, "/echo") as socket:
        socket.send(b"".join(ws.text(str(number)) for number in range(1000)))
        assert [socket.text() for _ in range(1000)] == [str(n) for n in range(1000)]


def test_broadcast(server: Server) -> None:
    sockets = [ws.connect(server, "/crowd") for _ in range(20)]
    # Each is in the crowd when it has heard itself.
    for socket in sockets:
        socket.say("hello")
        while socket.text() != "hello":
            pass
    for socket in sockets:
        socket.wire.close()


# --- Closing ----------------------------------------------------------------------------------


CLIENT_CLOSES = [
    (ws.close(1000, "bye"), 1000, "bye", ws.closing(1000, "bye")),
    (ws.close(3999), 3999, "", ws.closing(3999)),
    (ws.close(4000, "ä" * 61), 4000, "ä" * 61, ws.closing(4000, "ä" * 61)),
    (ws.close(), 1005, "", ws.closing()),
]


@pytest.mark.parametrize(
    ("sent", "code", "reason", "echo"), CLIENT_CLOSES, ids=range(len(CLIENT_CLOSES))
)
def test_client_closes(
    server: Server, sent: bytes, code: int, reason: str, echo: ws.Frame
) -> None:
    ticket = server.ticket()
    before = server.stderr.size()
    with ws.connect(server, f"/gone?ticket={ticket}") as socket:
        socket.send(sent)
        assert socket.read() == echo
        socket.wire.expect_end()
    assert server.reported(ticket) == disconnect(code, reason)
    assert server.reported(ticket) == disconnect(code, reason)
    error = server.reported(ticket)
    assert (error[0], error[2]) == ("ClientDisconnected", "True")
    assert server.reported(ticket) == [], "closing what is closed is no error"
    server.stderr.wait_for(
        rf'^INFO:     127.0.0.1:\d+ - "WebSocket /gone\?ticket={ticket}" \[accepted\]\n'
        r"INFO:     connection open\n(.*\n)*?INFO:     connection closed$",
        start=before,
    )


def test_log_of_a_client_that_goes_while_it_is_accepted(
    start: Start, placement: Placement
) -> None:
    """What the log says is open it says is closed, too."""
    server = start(APP, *placement.options)
    wire = server.connect()
    # The server finds the request and the reset at once.
    server.signal(signal.SIGSTOP)
    server.wait_until_stopped()
    wire.send(ws.handshake("/echo"))
    wire.reset()
    server.signal(signal.SIGCONT)
    open_gate(server, "none")
    assert server.stop() == 0
    lines = server.stderr.lines
    opened = lines.count("INFO:     connection open")
    assert lines.count("INFO:     connection closed") == opened


@pytest.mark.parametrize("way", ["close", "reset", "half_close"])
def test_client_goes_without_a_word(quiet: Server, way: str) -> None:
    ticket = quiet.ticket()
    before = quiet.stderr.size()
    socket = ws.connect(quiet, f"/gone?raise&ticket={ticket}")
    getattr(socket.wire, way)()
    assert quiet.reported(ticket) == disconnect(1006)
    assert quiet.reported(ticket) == disconnect(1006)
    assert quiet.reported(ticket)[0] == "ClientDisconnected"
    assert quiet.reported(ticket)[0] == "ClientDisconnected"
    if way == "half_close":
        socket.wire.expect_end()
    with ws.connect(quiet, "/echo") as other:
        assert other.ask("still here") == "still here"
    assert "ERROR" not in quiet.stderr.since(before)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_what_a_client_said_before_it_went_is_heard(server: Server, way: str) -> None:
    """Also by an application that lags behind, and whose own words reach nobody any more."""
    ticket = server.ticket()
    socket = ws.connect(server, f"/late?ticket={ticket}")
    say_all_and_go(server, ticket, socket, way)
    open_gate(server, ticket)
    expect_all_was_heard(server, ticket)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_what_a_client_said_before_it_went_is_heard_over_tls(
    start: Start, placement: Placement, issued: Issued, authority: Authority, way: str
) -> None:
    server = start(APP, *placement.options, *issued.options)
    ticket = server.ticket()
    wire = server.connect_tls(authority.context())
    socket = ws.shake_hands(wire, f"/late?ticket={ticket}")
    say_all_and_go(server, ticket, socket, way)
    with server.connect_tls(authority.context()) as opener:
        opener.send(f"GET /?gate={ticket} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert opener.response().body == b"open"
    expect_all_was_heard(server, ticket)


TEXTS = [str(number) for number in range(100)]


def say_all_and_go(server: Server, ticket: str, socket: ws.Socket, way: str) -> None:
    assert server.reported(ticket) == "open"
    said = b"".join(ws.text(text) for text in TEXTS)
    socket.send(said + ws.close(4000, "bye"))
    getattr(socket.wire, way)()


def expect_all_was_heard(server: Server, ticket: str) -> None:
    assert server.reported(ticket) == [
        "ClientDisconnected",
        TEXTS,
        disconnect(4000, "bye"),
    ]


FAILURES = [
    (ws.frame(ws.TEXT, b"x", mask=None), 1002, "incorrect masking"),
    (ws.frame(ws.TEXT, b"x", reserved=2), 1002, "reserved bits must be 0"),
    (ws.frame(ws.TEXT, b"x", reserved=4), 1002, "reserved bits must be 0"),
    (ws.frame(3, b"x"), 1002, "invalid opcode"),
    (ws.frame(11, b"x"), 1002, "invalid opcode"),
    (ws.frame(ws.CONTINUATION, b"x"), 1002, "unexpected continuation frame"),
    (ws.close(1005), 1002, "invalid status code"),
    (ws.close(999), 1002, "invalid status code"),
    (ws.frame(ws.TEXT, b"\xff"), 1007, ""),
    # Known to be wrong before the frame has ended.
    (ws.frame(ws.TEXT, b"\xed\xa0", length=1000), 1007, ""),
]


@pytest.mark.parametrize(("sent", "code", "reason"), FAILURES, ids=range(len(FAILURES)))
def test_client_breaks_the_protocol(
    server: Server, sent: bytes, code: int, reason: str
) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/gone?ticket={ticket}") as socket:
        socket.send(sent)
        socket.expect_end(code, reason)
    assert server.reported(ticket) == disconnect(code, reason)


@pytest.mark.parametrize(
    ("asked", "code", "reason"),
    [
        ("", 1000, ""),
        ("&code=1001", 1001, ""),
        ("&code=4999&reason=because", 4999, "because"),
        ("&reason=" + "y" * 123, 1000, "y" * 123),
    ],
)
def test_application_closes(server: Server, asked: str, code: int, reason: str) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/close?ticket={ticket}{asked}") as socket:
        assert socket.read() == ws.closing(code, reason)
        assert server.reported(ticket) == [disconnect(code, reason)] * 3
        for kind in ("websocket.send", "websocket.close"):
            assert server.reported(ticket)[:2] == [
                "RuntimeError",
                f"Unexpected ASGI message '{kind}', after sending 'websocket.close'.",
            ]
        # What is still on its way from the client is of no use, but no harm either.
        socket.send(ws.text("late") * 100 + ws.close(code, reason))
        socket.wire.expect_end()


def test_long_reason_is_cut(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/close?ticket={ticket}&reason={'z' * 130}") as socket:
        assert socket.read() == ws.closing(1000, "z" * 123)


def test_code_that_cannot_be_sent(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/bad-close?ticket={ticket}") as socket:
        assert server.reported(ticket)[:2] == [
            "RuntimeError",
            "Invalid WebSocket close code 1005: it cannot be sent.",
        ]
        socket.send(ws.close(1000))
        socket.expect_end(1000)


@pytest.mark.parametrize(
    ("how", "code", "logged"),
    [
        ("returns", 1000, None),
        ("value", 1000, "ASGI callable should return None, but returned '5'."),
        ("raises", 1011, "RuntimeError: after it was accepted"),
    ],
)
def test_application_ends_without_closing(
    server: Server, quiet: Server, how: str, code: int, logged: str | None
) -> None:
    server = server if logged else quiet
    before = server.stderr.size()
    with ws.connect(server, f"/after-accept?how={how}") as socket:
        assert socket.read() == ws.closing(code)
        socket.send(ws.close(code))
        socket.wire.expect_end()
    if logged is None:
        assert "ERROR" not in server.stderr.since(before)
    else:
        server.stderr.wait_for(logged, start=before)


def test_wrong_message_after_accept(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/after-accept?how=wrong&ticket={ticket}"):
        for kind in ("websocket.accept", "websocket.http.response.start", "http.foo"):
            assert server.reported(ticket)[:2] == [
                "RuntimeError",
                "Expected ASGI message 'websocket.send' or 'websocket.close', but got "
                f"'{kind}'.",
            ]


def test_failure_after_the_client_has_gone_is_logged(server: Server) -> None:
    before = server.stderr.size()
    with ws.connect(server, "/after-accept?how=late") as socket:
        socket.send(ws.close(1001))
        assert socket.read() == ws.closing(1001)
    server.stderr.wait_for("RuntimeError: when the client had gone", start=before)


def test_loop_that_knows_no_disconnect_stops_nobody_else(server: Server) -> None:
    ticket = server.ticket()
    socket = ws.connect(server, f"/naive?ticket={ticket}")
    socket.wire.close()
    assert server.reported(ticket) == "disconnected"
    open_gate(server, ticket)
    assert server.reported(ticket) == "let out"


def test_several_that_receive(server: Server) -> None:
    ticket = server.ticket()
    with ws.connect(server, f"/concurrent?ticket={ticket}") as socket:
        assert server.reported(ticket) == "cancelled"
        socket.say("not lost")
        assert server.reported(ticket)["text"] == "not lost"
        socket.send(ws.close(1000))
        assert server.reported(ticket) == ["websocket.disconnect"] * 2


def test_close_codes_travel_in_two_bytes() -> None:
    # The harness itself: what the table above compares with.
    assert ws.closing(1000, "a").payload == struct.pack("!H", 1000) + b"a"
    assert (
        ws.frame(ws.TEXT, b"Hello") == b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    )


@pytest.mark.parametrize("end", ["", "z", "\xe4", "\u20ac", "\U0001f33d"])
@pytest.mark.parametrize("size", [0, 1023, 1024, 5000, 100_000])
def test_texts_of_all_widths(server: Server, size: int, end: str) -> None:
    text = "abcdefgh" * (size // 8) + "x" * (size % 8) + end
    with ws.connect(server, "/echo") as socket:
        assert socket.ask(text) == text
        assert socket.ask(end + text) == end + text
