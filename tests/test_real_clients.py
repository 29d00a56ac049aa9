"""Real clients: their connections, pools and habits."""

import asyncio
import http.client
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import requests

from conftest import Placement, Pool, Start
from harness.server import Server


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get("apps.wire:app", *placement.options)


def session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


# --- httpx ------------------------------------------------------------------------------------


def test_httpx_many_at_a_time(server: Server) -> None:
    async def ask() -> list[bytes]:
        limits = httpx.Limits(max_connections=30, max_keepalive_connections=30)
        async with httpx.AsyncClient(
            base_url=server.url(""), limits=limits, timeout=20, trust_env=False
        ) as client:
            answers = await asyncio.gather(
                *(client.post(f"/{number}", content=b"body") for number in range(300))
            )
            return [answer.content for answer in answers]

    assert asyncio.run(ask()) == [
        f"POST /{number}|/{number}||body".encode() for number in range(300)
    ]


def test_httpx_over_a_unix_socket(
    start: Start, tmp_path: Path, placement: Placement
) -> None:
    path = str(tmp_path / "socket")
    start("apps.wire:app", *placement.options, "--uds", path)
    with httpx.Client(transport=httpx.HTTPTransport(uds=path)) as client:
        for _ in range(3):
            assert client.get("http://x/a").content == b"GET /a|/a||"


# --- requests, urllib3, http.client -----------------------------------------------------------


def test_requests_keeps_its_connection(pool: Pool, placement: Placement) -> None:
    server = pool.get("apps.scope:app", *placement.options)
    with session() as client:
        ports = set()
        for _ in range(10):
            scope = client.get(server.url("/a"), timeout=20).text
            ports.add(scope.split("'client': ('127.0.0.1', ")[1].split(")")[0])
    assert len(ports) == 1


def test_requests_uploads(server: Server) -> None:
    with session() as client:
        data = bytes(1_000_000)
        assert client.post(server.url("/a"), data=data, timeout=20).content.endswith(
            data
        )
        pieces = (data[:1000] for _ in range(100))
        answer = client.post(server.url("/a"), data=pieces, timeout=20)
        assert answer.content == b"POST /a|/a||" + data[:100_000]


def test_requests_from_many_threads(server: Server) -> None:
    def ask(number: int) -> bytes:
        with session() as client:
            return b"".join(
                client.get(server.url(f"/{number}"), timeout=20).content
                for _ in range(10)
            )

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(40)))
    assert answers == [f"GET /{n}|/{n}||".encode() * 10 for n in range(40)]


def test_http_client_of_the_standard_library(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(3):
        connection.request(
            "PUT", "/a", body=iter([b"one", b"two"]), encode_chunked=True
        )
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"PUT /a|/a||onetwo")
    connection.close()


# --- curl -------------------------------------------------------------------------------------

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="no curl here")


def curl(*arguments: str, stdin: bytes | None = None) -> bytes:
    """What curl prints; an error of curl fails the test."""
    assert CURL
    done = subprocess.run(
        [CURL, "-sS", "--max-time", "20", "--noproxy", "*", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_curl
def test_curl_get(server: Server) -> None:
    assert curl(server.url("/a?b=c")) == b"GET /a|/a|b=c|"


@needs_curl
@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_versions(server: Server, version: str) -> None:
    assert curl(version, server.url("/version")) == version[-3:].encode()


@needs_curl
def test_curl_asks_to_continue_before_a_large_upload(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "upload"
    file.write_bytes(bytes(2_000_000))
    said = curl("-v", "-H", "Expect: 100-continue", "-T", str(file), server.url("/a"))
    assert said == b"PUT /a|/a||" + bytes(2_000_000)


@needs_curl
def test_curl_chunked_upload(server: Server) -> None:
    headers = ["-H", "Transfer-Encoding: chunked", "--data-binary", "@-"]
    said = curl("-X", "POST", *headers, server.url("/a"), stdin=b"x" * 300_000)
    assert said == b"POST /a|/a||" + b"x" * 300_000


@needs_curl
def test_curl_uses_a_connection_again(server: Server) -> None:
    url = server.url("/a")
    said = curl("-w", "%{num_connects}\n", url, url, url)
    assert said == b"GET /a|/a||1\n" + b"GET /a|/a||0\n" * 2


@needs_curl
def test_curl_head(server: Server) -> None:
    said = curl("-I", server.url("/a"))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n") and said.endswith(b"\r\n\r\n")
    assert b"\r\ncontent-length: 12\r\n" in said


@needs_curl
def test_curl_asks_for_an_upgrade_to_http_2(server: Server) -> None:
    # What cannot be upgraded is served as it is.
    assert curl("--http2", server.url("/a")) == b"GET /a|/a||"


@needs_curl
def test_curl_over_a_unix_socket(start: Start, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    start("apps.wire:app", "--uds", path)
    assert curl("--unix-socket", path, "http://x/a") == b"GET /a|/a||"
