"""TLS: what clients agree on with the server, and what the application sees of it."""

import ast
import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from signal import Signals
from typing import Any

import httpx
import pytest

from conftest import BARE, Placement, Pool, Start
from harness import ws
from harness.certificates import Authority, Issued
from harness.deadline import DEADLINE_SECONDS
from harness.server import Server
from harness.wire import GET, TlsWire

LAST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
TLS12 = ssl.TLSVersion.TLSv1_2
TLS13 = ssl.TLSVersion.TLSv1_3


@pytest.fixture
def server(pool: Pool, placement: Placement, issued: Issued) -> Server:
    return pool.get("apps.wire:app", *placement.options, *BARE, *issued.options)


@pytest.fixture
def scopes(pool: Pool, placement: Placement, issued: Issued) -> Server:
    """Answers with its scopes."""
    return pool.get("apps.scope:stateful", *placement.options, *BARE, *issued.options)


def scope_over(wire: TlsWire) -> dict[str, Any]:
    wire.send(b"GET /scope HTTP/1.1\r\nHost: localhost\r\n\r\n")
    scope = ast.literal_eval(wire.response().body.decode())
    assert isinstance(scope, dict)
    return scope


# --- clients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_pythons_ssl(
    server: Server, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = authority.context(minimum_version=version, maximum_version=version)
    with server.connect_tls(context) as wire:
        for _ in range(3):
            assert wire.send(GET).response().body == b"GET /|/||"
        assert wire.tls.version() == {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[version]


def test_httpx_many_at_a_time(server: Server, authority: Authority) -> None:
    async def ask() -> list[bytes]:
        async with httpx.AsyncClient(
            base_url=server.url(""),
            verify=authority.context(),
            timeout=DEADLINE_SECONDS,
            trust_env=False,
        ) as client:
            answers = await asyncio.gather(
                *(client.post(f"/{number}", content=b"body") for number in range(50))
            )
            return [answer.content for answer in answers]

    assert asyncio.run(ask()) == [
        f"POST /{number}|/{number}||body".encode() for number in range(50)
    ]


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
@pytest.mark.parametrize("version", ["--tlsv1.2", "--tlsv1.3"])
def test_curl(server: Server, authority: Authority, version: str) -> None:
    curl = [
        "curl",
        "-sS",
        version,
        "--noproxy",
        "*",
        "--cacert",
        str(authority.certfile),
    ]
    urls = [server.url("/a"), server.url("/b")]
    done = subprocess.run([*curl, *urls], capture_output=True, check=True)
    assert done.stdout == b"GET /a|/a||GET /b|/b||"


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl")
def test_openssl(server: Server, authority: Authority) -> None:
    done = subprocess.run(
        ["openssl", "s_client", "-quiet", "-verify_return_error", "-servername"]
        + ["localhost", "-CAfile", str(authority.certfile), "-connect"]
        + [f"127.0.0.1:{server.port}"],
        input=LAST,
        capture_output=True,
        check=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.stdout.endswith(b"\r\n\r\nGET /|/||")


def test_over_a_unix_socket(
    start: Start,
    placement: Placement,
    issued: Issued,
    authority: Authority,
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "socket")
    server = start("apps.wire:app", *placement.options, *issued.options, "--uds", path)
    with server.connect_tls(authority.context()) as wire:
        assert wire.send(GET).response().body == b"GET /|/||"


def test_banner_says_https(server: Server) -> None:
    assert server.scheme == "https"


# --- scopes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_scope(
    scopes: Server, authority: Authority, issued: Issued, version: ssl.TLSVersion
) -> None:
    context = authority.context(minimum_version=version, maximum_version=version)
    with scopes.connect_tls(context) as wire:
        scope = scope_over(wire)
        cipher = wire.tls.cipher()
    assert scope["scheme"] == "https"
    assert cipher
    suites = {
        "TLS_AES_256_GCM_SHA384": 0x1302,
        "ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
        "ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
    }
    assert scope["extensions"]["tls"] == {
        "server_cert": issued.pem,
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": int(version),
        "cipher_suite": suites[cipher[0]],
    }


def test_scopes_of_one_connection_do_not_share_the_extension(
    scopes: Server, authority: Authority
) -> None:
    change = b"GET /change HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with scopes.connect_tls(authority.context()) as wire:
        wire.send(change).response()
        assert "changed" not in scope_over(wire)["extensions"]["tls"]


def test_in_the_clear_there_is_no_extension(pool: Pool, placement: Placement) -> None:
    server = pool.get("apps.scope:app", *placement.options, *BARE)
    with server.connect() as wire:
        scope = ast.literal_eval(wire.send(GET).response().body.decode())
    assert scope["scheme"] == "http"
    assert "tls" not in scope["extensions"]


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_websocket(
    pool: Pool,
    placement: Placement,
    issued: Issued,
    authority: Authority,
    version: ssl.TLSVersion,
) -> None:
    server = pool.get("apps.sockets:app", *placement.options, *issued.options)
    context = authority.context(minimum_version=version, maximum_version=version)
    ticket = server.ticket()
    with server.connect_tls(context) as wire:
        wire.send(ws.handshake(f"/scope?ticket={ticket}"))
        scope = server.reported(ticket)
        assert scope["scheme"] == "'wss'"
        extensions = ast.literal_eval(scope["extensions"])
        assert extensions["tls"]["tls_version"] == int(version)
        assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    with server.connect_tls(context) as wire:
        # One record with the handshake and a message, and messages of several records.
        wire.send(ws.handshake("/echo") + ws.text("first"))
        socket = ws.Socket(wire, wire.until(b"\r\n\r\n"))
        assert socket.read().payload == b"first"
        for size in (1, 125, 126, 16_384, 100_000):
            assert socket.say("x" * size).read().payload == b"x" * size
        assert socket.send(ws.close(1000)).read() == ws.closing(1000)
        wire.expect_end()
        assert not wire.was_truncated and not wire.was_reset


# --- what is agreed on ------------------------------------------------------------------------


def test_alpn(server: Server, authority: Authority) -> None:
    context = authority.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with server.connect_tls(context) as wire:
        assert wire.tls.selected_alpn_protocol() == "http/1.1"
        assert wire.send(GET).response().status == 200
    with server.connect_tls(authority.context()) as wire:
        assert wire.tls.selected_alpn_protocol() is None
        assert wire.send(GET).response().status == 200


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_sessions_are_resumed(
    scopes: Server, authority: Authority, issued: Issued, version: ssl.TLSVersion
) -> None:
    context = authority.context(minimum_version=version, maximum_version=version)
    session = None
    for resumed in (False, True, True):
        with scopes.connect_tls(context, session=session) as wire:
            scope = scope_over(wire)
            assert wire.tls.session_reused is resumed
            session = wire.tls.session
        assert scope["extensions"]["tls"]["server_cert"] == issued.pem


def test_ssl_version_12_is_no_13(
    start: Start, issued: Issued, authority: Authority
) -> None:
    server = start("apps.wire:app", *issued.options, "--ssl-version", "5")
    with server.connect_tls(authority.context()) as wire:
        assert wire.tls.version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        server.connect_tls(authority.context(minimum_version=TLS13))


def test_minimum_version(start: Start, issued: Issued, authority: Authority) -> None:
    server = start("apps.wire:app", *issued.options, "--ssl-min-version", "1.3")
    with server.connect_tls(authority.context()) as wire:
        assert wire.tls.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        server.connect_tls(authority.context(maximum_version=TLS12))


def test_ciphers(start: Start, issued: Issued, authority: Authority) -> None:
    name = "ECDHE-ECDSA-CHACHA20-POLY1305"
    server = start(
        "apps.wire:app",
        *issued.options,
        "--ssl-ciphers",
        f"{name}:TLS_AES_128_GCM_SHA256",
    )
    for version, expected in ((TLS12, name), (TLS13, "TLS_AES_128_GCM_SHA256")):
        context = authority.context(minimum_version=version, maximum_version=version)
        with server.connect_tls(context) as wire:
            cipher = wire.tls.cipher()
            assert cipher and cipher[0] == expected


# --- names (SNI) ------------------------------------------------------------------------------


def test_certificate_is_chosen_by_name(start: Start, authority: Authority) -> None:
    first = authority.issue("first.test", "127.0.0.1")
    second = authority.issue("second.test")
    wild = authority.issue("*.wild.test", kind="rsa")
    server = start(
        "apps.scope:stateful", *first.options, *second.options, *wild.options
    )
    context = authority.context()
    for name, expected in (
        ("first.test", first),
        ("second.test", second),
        ("a.wild.test", wild),
        ("127.0.0.1", first),
    ):
        with server.connect_tls(context, name) as wire:
            assert scope_over(wire)["extensions"]["tls"]["server_cert"] == expected.pem
    context.check_hostname = False
    for unknown in ("wild.test", "a.b.wild.test", "other.test", None):
        with server.connect_tls(context, unknown) as wire:
            shown = wire.tls.getpeercert(binary_form=True)
            assert shown and ssl.DER_cert_to_PEM_cert(shown) == first.pem


def test_certificate_is_chosen_by_what_the_client_can_check(
    start: Start, authority: Authority
) -> None:
    elliptic = authority.issue("localhost")
    old = authority.issue("localhost", kind="rsa")
    server = start("apps.wire:app", *elliptic.options, *old.options)
    context = authority.context(maximum_version=TLS12)
    for ciphers, expected in (("ECDHE+aECDSA", elliptic), ("ECDHE+aRSA", old)):
        context.set_ciphers(ciphers)
        with server.connect_tls(context) as wire:
            shown = wire.tls.getpeercert(binary_form=True)
            assert shown and ssl.DER_cert_to_PEM_cert(shown) == expected.pem


# --- beginnings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        GET,
        b"POST /a HTTP/1.0\r\ncontent-length: 100000\r\n\r\n" + bytes(100000),
        b"get",
    ],
)
def test_plain_http_is_answered_in_the_clear(server: Server, said: bytes) -> None:
    with server.connect() as wire:
        response = wire.send(said).response()
        assert response.status == 400
        assert b"HTTPS" in response.body
        assert response.get(b"connection") == b"close"
        wire.half_close().expect_end()
        assert not wire.was_reset


@pytest.mark.parametrize(
    "said", [b"\x80", b"\0\0\0", b"\x16\x03\x01\x00\x05hello", b""]
)
def test_what_is_neither_is_ended(server: Server, said: bytes) -> None:
    with server.connect() as wire:
        wire.send(said).half_close()
        assert b"HTTP" not in wire.rest()
    assert server.running()


def test_failed_handshakes_are_no_news(
    start: Start, placement: Placement, issued: Issued
) -> None:
    server = start(
        "apps.wire:app", *placement.options, *issued.options, "--log-level", "debug"
    )
    before = server.stderr.size()
    with server.connect() as wire:
        wire.send(b"\x16\x03\x01").reset()
    stranger = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        server.connect_tls(stranger)
    with server.connect() as wire:
        wire.send(GET).rest()
    for _ in range(3):
        server.stderr.wait_for(r"DEBUG:    127.0.0.1:\d+ - TLS handshake failed: .+\n")
    said = server.stderr.since(before)
    assert "Traceback" not in said and "ERROR" not in said, said


def test_client_that_vanishes_in_the_handshake_is_forgotten(
    start: Start, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = start("apps.wire:app", *placement.options, *issued.options)
    hello = client_hello(authority)
    for cut in (1, 5, 100, len(hello)):
        with server.connect() as wire:
            wire.send(hello[:cut])
            if cut % 2:
                wire.reset()
    with server.connect_tls(authority.context()) as wire:
        assert wire.send(GET).response().status == 200
    assert server.stop() == 0


def test_handshake_has_its_time(
    start: Start, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = start(
        "apps.wire:app",
        *placement.options,
        *issued.options,
        "--ssl-handshake-timeout",
        "0.3",
    )
    hello = client_hello(authority)
    wires = [server.connect() for _ in range(3)]
    wires[1].send(hello[:50])
    wires[2].send(hello)
    for wire in wires:
        wire.rest()
        wire.close()


def test_hello_in_single_bytes(server: Server, authority: Authority) -> None:
    left, right, context = ssl.MemoryBIO(), ssl.MemoryBIO(), authority.context()
    client = context.wrap_bio(left, right, server_hostname="localhost")
    with server.connect() as wire:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in right.read():
                    wire.send(bytes([byte]))
                left.write(wire.socket.recv(65536))
        client.write(GET)
        for byte in right.read():
            wire.send(bytes([byte]))
        received = b""
        while b"GET /|/||" not in received:
            left.write(wire.socket.recv(65536))
            try:
                received += client.read(65536)
            except ssl.SSLWantReadError:
                pass


def client_hello(authority: Authority) -> bytes:
    """A client's first message."""
    sent = ssl.MemoryBIO()
    client = authority.context().wrap_bio(
        ssl.MemoryBIO(), sent, server_hostname="localhost"
    )
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


# --- ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_end_is_announced(
    server: Server, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = authority.context(minimum_version=version, maximum_version=version)
    with server.connect_tls(context) as wire:
        assert wire.send(LAST).response().body == b"GET /|/||"
        wire.expect_end()
        assert not wire.was_truncated and not wire.was_reset


def test_idle_connection_ends_with_an_announcement(
    start: Start, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = start(
        "apps.wire:app",
        *placement.options,
        *issued.options,
        "--timeout-keep-alive",
        "1",
    )
    with server.connect_tls(authority.context()) as wire:
        assert wire.send(GET).response().status == 200
        wire.expect_end()
        assert not wire.was_truncated and not wire.was_reset


def test_answer_comes_after_the_clients_announcement(
    server: Server, authority: Authority
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.context().wrap_bio(
        incoming, outgoing, server_hostname="localhost"
    )
    with server.connect() as wire:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.send(outgoing.read())
                incoming.write(wire.socket.recv(65536))
        client.write(GET)
        with pytest.raises(ssl.SSLWantReadError):
            client.unwrap()
        wire.send(outgoing.read())
        incoming.write(wire.rest())
        assert client.read(65536).endswith(b"GET /|/||")
        assert not wire.was_reset


def test_end_without_announcement_is_an_end(
    server: Server, authority: Authority
) -> None:
    with server.connect_tls(authority.context()) as wire:
        wire.send(GET)
        shut_down_below(wire)
        assert wire.response().body == b"GET /|/||"
        wire.expect_end()


def shut_down_below(wire: TlsWire) -> None:
    """Ends our direction of the TCP connection, without a word of TLS."""
    with socket.socket(fileno=socket.dup(wire.tls.fileno())) as below:
        below.shutdown(socket.SHUT_WR)


def test_application_that_fails_in_the_middle_gives_no_announcement(
    pool: Pool, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = pool.get("apps.responses:app", *placement.options, *BARE, *issued.options)
    with server.connect_tls(authority.context()) as wire:
        # In HTTP/1.0 the end is the framing.
        wire.send(b"GET /fails?when=after-piece&how=os-error HTTP/1.0\r\n\r\n")
        wire.rest()
        assert wire.was_truncated or wire.was_reset


def test_shutdown_lets_a_handshake_that_has_begun_end(
    start: Start, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = start("apps.wire:app", *placement.options, *issued.options)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.context().wrap_bio(
        incoming, outgoing, server_hostname="localhost"
    )
    with server.connect() as wire:
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        wire.send(outgoing.read())
        incoming.write(wire.socket.recv(65536))
        server.signal(Signals.SIGINT)
        server.stderr.wait_for("Shutting down")
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(wire.socket.recv(65536))
        client.write(LAST)
        wire.send(outgoing.read())
        incoming.write(wire.rest())
        assert client.read(65536).endswith(b"GET /|/||")
    assert server.wait() == 0
