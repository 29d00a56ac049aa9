"""The scope that an application is called with: keys, types, bytes."""

import ast
import socket
import string
from pathlib import Path
from typing import Any

import pytest

from conftest import Placement, Pool, Start
from harness.server import Server
from harness.wire import Wire

APP = "apps.scope:app"
KEYS = [
    "type",
    "asgi",
    "http_version",
    "server",
    "client",
    "scheme",
    "root_path",
    "headers",
    "state",
    "method",
    "path",
    "raw_path",
    "query_string",
]
EXTENSIONS: dict[str, dict[str, object]] = {
    "http.response.pathsend": {},
    "http.response.early_hint": {},
    "http.response.trailers": {},
    "http.response.debug": {},
}


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options)


def scope_of(wire: Wire, request: bytes) -> dict[str, Any]:
    response = wire.send(request).response()
    assert response.status == 200, response.raw
    scope = ast.literal_eval(response.body.decode())
    assert isinstance(scope, dict)
    return scope


def scope_at(server: Server, target: bytes = b"/", *headers: bytes) -> dict[str, Any]:
    with server.connect() as wire:
        lines = [b"GET " + target + b" HTTP/1.1", b"Host: x", *headers, b"", b""]
        return scope_of(wire, b"\r\n".join(lines))


def test_whole_scope(server: Server) -> None:
    with server.connect() as wire:
        scope = scope_of(
            wire,
            b"PUT /a%20b?c=d&e HTTP/1.1\r\n"
            b"Host: Example.com:81\r\n"
            b"X-One: 1\r\n"
            b"cookie: a=b\r\n"
            b"Cookie: c=d\r\n"
            b"X-ONE: 2\r\n"
            b"\r\n",
        )
        assert scope == {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "server": ("127.0.0.1", server.port),
            "client": ("127.0.0.1", wire.local_port),
            "scheme": "http",
            "root_path": "",
            "headers": [
                (b"host", b"Example.com:81"),
                (b"x-one", b"1"),
                (b"cookie", b"a=b"),
                (b"cookie", b"c=d"),
                (b"x-one", b"2"),
            ],
            "state": {},
            "method": "PUT",
            "path": "/a b",
            "raw_path": b"/a%20b",
            "query_string": b"c=d&e",
            "extensions": EXTENSIONS,
        }


def test_order_of_keys(server: Server) -> None:
    assert [key for key in scope_at(server) if key != "extensions"] == KEYS


def test_http_1_0(server: Server) -> None:
    with server.connect() as wire:
        scope = scope_of(wire, b"GET /a HTTP/1.0\r\n\r\n")
        assert (scope["http_version"], scope["headers"]) == ("1.0", [])


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"/caf%C3%A9", "/café"),
        (b"/caf%c3%a9", "/café"),
        (b"/%E2%82%AC/%F0%9F%A6%84", "/€/🦄"),
        (b"/a%2Fb", "/a/b"),
        (b"/a+b", "/a+b"),
        (b"/%25", "/%"),
        (b"/%2525", "/%25"),
        (b"/%zz", "/%zz"),
        (b"/%", "/%"),
        (b"/%4", "/%4"),
        (b"/%4g", "/%4g"),
        (b"/%%41", "/%A"),
        (b"/%41%zz%42", "/A%zzB"),
        (b"/%FF", "/\ufffd"),
        (b"/%C3%28", "/\ufffd("),
        (b"/%E2%82", "/\ufffd"),
        (b"/%ED%A0%80", "/\ufffd\ufffd\ufffd"),
        (b"/%00", "/\0"),
        (b"/%0D%0A", "/\r\n"),
        (b"/a;b=c,d", "/a;b=c,d"),
    ],
)
def test_path_is_decoded_and_raw_path_is_not(
    server: Server, target: bytes, path: str
) -> None:
    scope = scope_at(server, target + b"?%20%zz")
    assert scope["path"] == path
    assert scope["raw_path"] == target
    assert scope["query_string"] == b"%20%zz"


def test_every_common_header_name(server: Server) -> None:
    names = [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "cookie",
        "date",
        "dnt",
        "expect-ct",
        "forwarded",
        "from",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "origin",
        "pragma",
        "priority",
        "range",
        "referer",
        "sec-ch-ua",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "te",
        "traceparent",
        "upgrade-insecure-requests",
        "user-agent",
        "via",
        "x-forwarded-host",
        "x-real-ip",
        "x-request-id",
    ]
    headers = [string.capwords(name, "-").encode() + b": v" for name in names]
    assert scope_at(server, b"/", *headers)["headers"] == [(b"host", b"x")] + [
        (name.encode(), b"v") for name in names
    ]


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://other/a", b"other"),
        (b"http://other:81/a?b", b"other:81"),
        (b"https://[::1]", b"[::1]"),
        (b"http://x", b"x"),
        (b"/http://other/a", b"x"),
    ],
)
def test_host_of_the_target_replaces_the_header(
    server: Server, target: bytes, host: bytes
) -> None:
    """RFC 9112, section 3.2.2: what was routed by one host must not be served by another."""
    headers = scope_at(server, target, b"X-Test: y")["headers"]
    assert headers == [(b"host", host), (b"x-test", b"y")]


def test_header_bytes_are_left_alone(server: Server) -> None:
    scope = scope_at(
        server,
        b"/",
        b'X-Raw: \xe9\xff%20\t"x"  y',
        b"X_Under: 1",
        b"X!#$%&'*+-.^_`|~0: v",
        b"X-Empty:",
    )
    assert scope["headers"][1:] == [
        (b"x-raw", b'\xe9\xff%20\t"x"  y'),
        (b"x_under", b"1"),
        (b"x!#$%&'*+-.^_`|~0", b"v"),
        (b"x-empty", b""),
    ]


def test_second_request_of_a_connection_has_a_scope_of_its_own(server: Server) -> None:
    with server.connect() as wire:
        first = scope_of(wire, b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\r\n")
        second = scope_of(wire, b"POST /c HTTP/1.1\r\nHost: y\r\n\r\n")
    assert first["client"] == second["client"]
    assert (second["method"], second["path"], second["query_string"]) == (
        "POST",
        "/c",
        b"",
    )
    assert second["headers"] == [(b"host", b"y")]


@pytest.mark.parametrize(
    ("root_path", "target", "path", "raw_path"),
    [
        ("/api", b"/x", "/api/x", b"/api/x"),
        ("/api", b"/api/x", "/api/api/x", b"/api/api/x"),
        ("/api/", b"/x%20y", "/api//x y", b"/api//x%20y"),
    ],
)
def test_root_path(
    pool: Pool, root_path: str, target: bytes, path: str, raw_path: bytes
) -> None:
    scope = scope_at(pool.get(APP, "--root-path", root_path), target)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == (
        root_path,
        path,
        raw_path,
    )


def test_ipv6(start: Start) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    server = start(APP, "--host", "::1")
    with server.connect() as wire:
        scope = scope_of(wire, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (scope["server"], scope["client"]) == (
            ("::1", server.port),
            ("::1", wire.local_port),
        )


def test_unix_socket(start: Start, tmp_path: Path, placement: Placement) -> None:
    path = str(tmp_path / "socket")
    scope = scope_at(start(APP, *placement.options, "--uds", path))
    assert (scope["server"], scope["client"]) == ((path, None), None)


# --- State ------------------------------------------------------------------------------------


def get(wire: Wire, path: str) -> bytes:
    return wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).response().body


def test_each_request_has_a_shallow_copy_of_the_state(
    start: Start, placement: Placement
) -> None:
    server = start("apps.scope:stateful", *placement.options)
    with server.connect() as wire, server.connect() as other:
        assert get(wire, "/change") == b"{'word': 'first', 'shared': []}"
        assert get(wire, "/change") == b"{'word': 'first', 'shared': [0]}"
        assert get(other, "/change") == b"{'word': 'first', 'shared': [0, 1]}"


def test_changes_of_one_scope_are_not_seen_in_the_next(
    start: Start, placement: Placement
) -> None:
    server = start("apps.scope:stateful", *placement.options)
    with server.connect() as wire:
        get(wire, "/change")
        scope = ast.literal_eval(get(wire, "/scope").decode())
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
        assert scope["headers"] == [(b"host", b"x")]
        assert scope["extensions"] == EXTENSIONS


def test_a_kept_scope_stays_as_it_was(start: Start, placement: Placement) -> None:
    server = start("apps.scope:stateful", *placement.options)
    with server.connect() as wire:
        get(wire, "/keep?1")
        get(wire, "/keep?22")
        assert get(wire, "/keep?3") == b"['/keep1', '/keep22', '/keep3']"


def test_without_lifespan_the_state_is_empty(start: Start) -> None:
    assert scope_at(start(APP, "--lifespan", "off"))["state"] == {}


# --- Proxy headers ----------------------------------------------------------------------------

PEER = "the peer itself"

FORWARDED_FROM_TRUSTED = [
    ([b"X-Forwarded-For: 1.2.3.4"], ("1.2.3.4", 0), "http"),
    ([b"X-Forwarded-For: 1.2.3.4:567"], ("1.2.3.4", 567), "http"),
    ([b"X-Forwarded-For:  1.2.3.4 "], ("1.2.3.4", 0), "http"),
    ([b"X-Forwarded-For: 5.6.7.8, 1.2.3.4"], ("1.2.3.4", 0), "http"),
    ([b"X-Forwarded-For: 1.2.3.4, 127.0.0.1"], ("1.2.3.4", 0), "http"),
    ([b"X-Forwarded-For: 1.2.3.4, 127.0.0.1, 127.0.0.1"], ("1.2.3.4", 0), "http"),
    (
        [b"X-Forwarded-For: 5.6.7.8", b"X-Forwarded-For: 1.2.3.4"],
        ("1.2.3.4", 0),
        "http",
    ),
    ([b"X-Forwarded-For: 127.0.0.1, 127.0.0.1"], ("127.0.0.1", 0), "http"),
    ([b"X-Forwarded-For: 2001:db8::1"], ("2001:db8::1", 0), "http"),
    ([b"X-Forwarded-For: [2001:db8::1]"], ("2001:db8::1", 0), "http"),
    ([b"X-Forwarded-For: [2001:db8::1]:567"], ("2001:db8::1", 567), "http"),
    ([b"X-Forwarded-For: 1.2.3.4, ::1"], ("1.2.3.4", 0), "http"),
    ([b"X-Forwarded-For: unknown"], ("unknown", 0), "http"),
    ([b"X-Forwarded-For: _hidden"], ("_hidden", 0), "http"),
    ([b"X-Forwarded-For: 1.2.3.4:port"], ("1.2.3.4:port", 0), "http"),
    ([b"X-Forwarded-For: [2001:db8::1]:port"], ("2001:db8::1", 0), "http"),
    ([b"X-Forwarded-For:"], PEER, "http"),
    ([b"X-Forwarded-Proto: https"], PEER, "https"),
    ([b"X-Forwarded-Proto:  https "], PEER, "https"),
    ([b"X-Forwarded-Proto: http", b"X-Forwarded-Proto: https"], PEER, "https"),
    ([b"X-Forwarded-Proto: https, http"], PEER, "http"),
    ([b"X-Forwarded-Proto: HTTPS"], PEER, "http"),
    ([b"X-Forwarded-Proto: ftp"], PEER, "http"),
    ([b"X-Forwarded-Proto: wss"], PEER, "wss"),
    (
        [b"X-Forwarded-Proto: https", b"X-Forwarded-For: 1.2.3.4"],
        ("1.2.3.4", 0),
        "https",
    ),
    (
        [
            b"X-Forwarded-Host: other",
            b"X-Forwarded-Port: 1",
            b"X-Real-IP: 1.2.3.4",
            b"Forwarded: for=1.2.3.4",
        ],
        PEER,
        "http",
    ),
]


def forwarded(
    server: Server, headers: list[bytes], client: object, scheme: str
) -> None:
    """Fails unless a request with `headers` comes from `client` by `scheme` in the application's eyes."""
    with server.connect() as wire:
        lines = [b"GET / HTTP/1.1", b"Host: x", *headers, b"", b""]
        scope = scope_of(wire, b"\r\n".join(lines))
        expected = ("127.0.0.1", wire.local_port) if client == PEER else client
        assert (scope["client"], scope["scheme"]) == (expected, scheme)
        # The headers themselves stay, and nothing else changes.
        assert len(scope["headers"]) == len(headers) + 1
        assert scope["server"] == ("127.0.0.1", server.port)
        assert scope["headers"][0] == (b"host", b"x")


@pytest.mark.parametrize(("headers", "client", "scheme"), FORWARDED_FROM_TRUSTED)
def test_forwarded_by_a_trusted_peer(
    server: Server, headers: list[bytes], client: object, scheme: str
) -> None:
    forwarded(server, headers, client, scheme)


BOTH = [b"X-Forwarded-For: 5.6.7.8, 10.1.2.3, 1.2.3.4", b"X-Forwarded-Proto: https"]


@pytest.mark.parametrize(
    ("options", "client", "scheme"),
    [
        (["--forwarded-allow-ips", "*"], ("5.6.7.8", 0), "https"),
        (["--forwarded-allow-ips", "127.0.0.1"], ("1.2.3.4", 0), "https"),
        (["--forwarded-allow-ips", "127.0.0.1,1.2.3.4"], ("10.1.2.3", 0), "https"),
        (
            ["--forwarded-allow-ips", " 127.0.0.1 , 1.2.3.4 , 10.0.0.0/8 "],
            ("5.6.7.8", 0),
            "https",
        ),
        (
            ["--forwarded-allow-ips", "127.0.0.0/8,1.2.0.0/16,10.0.0.0/8,5.6.7.8/32"],
            ("5.6.7.8", 0),
            "https",
        ),
        (["--forwarded-allow-ips", "127.0.0.1/8,1.2.3.4/16"], ("10.1.2.3", 0), "https"),
        (["--forwarded-allow-ips", "10.0.0.0/8"], PEER, "http"),
        (["--forwarded-allow-ips", "::1"], PEER, "http"),
        (["--forwarded-allow-ips", "*,10.0.0.0/8"], PEER, "http"),
        (["--forwarded-allow-ips", "nonsense"], PEER, "http"),
        (["--forwarded-allow-ips", "::ffff:127.0.0.1"], ("1.2.3.4", 0), "https"),
        (["--no-proxy-headers"], PEER, "http"),
    ],
)
def test_who_is_trusted(
    pool: Pool, options: list[str], client: object, scheme: str
) -> None:
    forwarded(pool.get(APP, *options), BOTH, client, scheme)


@pytest.mark.parametrize(
    ("trusted", "client"), [("*", ("1.2.3.4", 0)), ("127.0.0.1", None)]
)
def test_unix_peers_are_trusted_by_the_asterisk_only(
    start: Start, tmp_path: Path, trusted: str, client: object
) -> None:
    server = start(
        APP, "--uds", str(tmp_path / "socket"), "--forwarded-allow-ips", trusted
    )
    assert scope_at(server, b"/", b"X-Forwarded-For: 1.2.3.4")["client"] == client


def test_forwarded_allow_ips_from_the_env_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("FORWARDED_ALLOW_IPS=10.0.0.0/8\n")
    server = start(APP, "--env-file", str(file))
    forwarded(server, BOTH, PEER, "http")


def test_forwarded_allow_ips_from_the_environment(start: Start) -> None:
    server = start(APP, env={"FORWARDED_ALLOW_IPS": "10.0.0.0/8"})
    forwarded(server, BOTH, PEER, "http")
