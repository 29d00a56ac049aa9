"""Applications of real frameworks, served to a real client."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conftest import Placement, Start
from harness.server import Server

NOISE = os.urandom(3_000_000)


def client_of(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url(""), timeout=20, trust_env=False)


class Servers:
    """One server for each application and placement, for all tests of this file."""

    def __init__(self, static: Path) -> None:
        self.static = static
        self.running: dict[tuple[str, str], Server] = {}

    def get(self, app: str, placement: Placement) -> Server:
        key = (app, placement.name)
        if key not in self.running:
            options = ("--port", "0", *placement.options)
            server = Server(app, *options, env={"STATIC": str(self.static)})
            self.running[key] = server.wait_until_ready()
        self.running[key].mark_use()
        return self.running[key]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    static = tmp_path_factory.mktemp("static")
    (static / "small.txt").write_text("small\n")
    (static / "large.bin").write_bytes(NOISE)
    servers = Servers(static)
    yield servers
    for server in servers.running.values():
        server.kill()


# --- FastAPI ----------------------------------------------------------------------------------


@pytest.fixture
def fastapi(servers: Servers, placement: Placement) -> Server:
    return servers.get("apps.fastapi_app:app", placement)


@pytest.fixture
def client(fastapi: Server) -> Iterator[httpx.Client]:
    with client_of(fastapi) as client:
        yield client


def test_fastapi_json(client: httpx.Client) -> None:
    item = {"name": "Crème brûlée", "price": 4.5, "tags": ["sweet"]}
    response = client.post("/items", json=item)
    assert (response.status_code, response.json()) == (201, item)
    assert response.headers["x-middleware"] == "was here"
    assert response.headers["server"] == "smolcorn"


def test_fastapi_parameters(client: httpx.Client) -> None:
    response = client.get("/items/7", params={"q": "a b&c"})
    assert response.json() == {"number": 7, "q": "a b&c"}


@pytest.mark.parametrize(
    ("method", "path", "content", "kind"),
    [
        ("POST", "/items", b'{"name": "x", "price": -1}', "greater_than"),
        ("POST", "/items", b'{"price": 1}', "missing"),
        ("POST", "/items", b"{broken", "json_invalid"),
        ("GET", "/items/word", b"", "int_parsing"),
    ],
)
def test_fastapi_validation_errors(
    client: httpx.Client, method: str, path: str, content: bytes, kind: str
) -> None:
    headers = {"content-type": "application/json"}
    response = client.request(method, path, content=content, headers=headers)
    assert response.status_code == 422
    assert [error["type"] for error in response.json()["detail"]] == [kind]


def test_fastapi_errors(client: httpx.Client, fastapi: Server) -> None:
    assert client.get("/items/404").json() == {"detail": "no such item"}
    assert client.get("/nowhere").status_code == 404
    assert client.delete("/items").status_code == 405
    before = fastapi.stderr.size()
    response = client.get("/fails")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    fastapi.stderr.wait_for("^RuntimeError: a bug in the endpoint$", start=before)
    # The framework raises after it has answered, which ends the connection.
    with client_of(fastapi) as another:
        assert another.get("/items/1").status_code == 200


def test_fastapi_state_of_its_lifespan(client: httpx.Client, fastapi: Server) -> None:
    assert client.get("/state").json() == {
        "greeting": "hello",
        "client": "127.0.0.1",
        "url": fastapi.url("/state"),
    }


def test_fastapi_sync_endpoints_run_in_threads(client: httpx.Client) -> None:
    for _ in range(20):
        assert client.get("/sync").json() == {"main": False}


def test_fastapi_dependencies(client: httpx.Client, fastapi: Server) -> None:
    assert client.get("/depends").json() == {"base": "database"}
    assert fastapi.reported("dependency") == "closed"


def test_fastapi_uploads(client: httpx.Client) -> None:
    files = [("files", ("a.txt", b"hello")), ("files", ("b.bin", NOISE))]
    response = client.post("/upload", data={"word": "ünïcode"}, files=files)
    assert response.json() == ["ünïcode", [["a.txt", 5], ["b.bin", len(NOISE)]]]


@pytest.mark.parametrize("count", [0, 1, 5, 5000])
def test_fastapi_streams(client: httpx.Client, count: int) -> None:
    response = client.get("/stream", params={"count": count})
    assert response.text == "".join(f"line {number}\n" for number in range(count))


def test_fastapi_streams_of_sync_generators(client: httpx.Client) -> None:
    assert client.get("/sync-stream").text == "one two three"


def test_fastapi_stream_ends_with_its_client(
    client: httpx.Client, fastapi: Server
) -> None:
    ticket = fastapi.ticket()
    with client.stream("GET", "/endless", params={"ticket": ticket}) as response:
        assert next(response.iter_lines()) == "tick"
    assert fastapi.reported(ticket) == "cleaned up"


def test_fastapi_background_tasks(client: httpx.Client, fastapi: Server) -> None:
    ticket = fastapi.ticket()
    assert client.get("/background", params={"ticket": ticket}).json() == {
        "said": "at once"
    }
    assert fastapi.reported(ticket) == "done in the background"


def test_fastapi_documentation(client: httpx.Client) -> None:
    assert "/items/{number}" in client.get("/openapi.json").json()["paths"]
    assert "swagger" in client.get("/docs").text


def test_fastapi_lifespan(start: Start, placement: Placement) -> None:
    server = start("apps.fastapi_app:app", *placement.options)
    assert server.reported("lifespan") == "start"
    with client_of(server) as client:
        assert client.get("/items/1").status_code == 200
        assert server.stop() == 0
    assert server.reported("lifespan") == "stop"
    assert "ERROR" not in server.stderr.text


def test_fastapi_stream_does_not_hold_up_the_end(
    start: Start, placement: Placement
) -> None:
    server = start(
        "apps.fastapi_app:app", *placement.options, "--timeout-graceful-shutdown", "1"
    )
    ticket = server.ticket()
    with client_of(server) as client:
        with client.stream("GET", "/endless", params={"ticket": ticket}) as response:
            lines = response.iter_lines()
            assert next(lines) == "tick"
            server.signal(signal.SIGTERM)
            assert server.reported(ticket) == "cleaned up"
            assert server.wait() == -signal.SIGTERM


# --- Starlette --------------------------------------------------------------------------------


@pytest.fixture(params=["app", "bare", "zipped"])
def starlette(
    servers: Servers, placement: Placement, request: pytest.FixtureRequest
) -> Server:
    """With BaseHTTPMiddleware, without, and with compression around it."""
    return servers.get(f"apps.starlette_app:{request.param}", placement)


@pytest.fixture
def star(starlette: Server) -> Iterator[httpx.Client]:
    with client_of(starlette) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_starlette_methods(star: httpx.Client, method: str) -> None:
    response = star.request(method, "/echo", content=b"body")
    assert (response.content, response.headers["x-method"]) == (b"body", method)


def test_starlette_large_bodies(star: httpx.Client) -> None:
    assert star.post("/echo", content=NOISE).content == NOISE


def test_starlette_chunked_upload(star: httpx.Client) -> None:
    # Small enough for what this client does: it reads nothing before all is sent.
    pieces = [NOISE[at : at + 10_000] for at in range(0, 100_000, 10_000)]
    answer = star.post("/stream-echo", content=iter(pieces)).content
    assert answer == b"".join(pieces)


def test_starlette_urls(star: httpx.Client, starlette: Server) -> None:
    assert star.get("/url?a=b").json() == {
        "url": starlette.url("/url?a=b"),
        "for": starlette.url("/named/n"),
    }


def test_starlette_cookies(star: httpx.Client) -> None:
    response = star.get("/cookies", headers={"cookie": "a=b; c=d"})
    assert response.json() == {"a": "b", "c": "d"}
    assert len(response.headers.get_list("set-cookie")) == 2


def test_starlette_static_files(star: httpx.Client) -> None:
    response = star.get("/static/large.bin")
    assert response.content == NOISE
    etag = response.headers["etag"]
    again = star.get("/static/large.bin", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    part = star.get("/static/large.bin", headers={"range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, NOISE[1000:2000])
    head = star.head("/static/large.bin")
    assert (head.headers["content-length"], head.content) == (str(len(NOISE)), b"")
    assert star.get("/static/missing").status_code == 404
    assert star.get("/static/../secret").status_code == 404
    assert star.get("/redirect", follow_redirects=True).text == "small\n"


def test_starlette_file_response(star: httpx.Client) -> None:
    for _ in range(3):
        digest = hashlib.sha256(star.get("/file").content).digest()
        assert digest == hashlib.sha256(NOISE).digest()


def test_sse_starlette(star: httpx.Client) -> None:
    response = star.get("/events", params={"count": 3})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.replace("\r\n", "\n") == "".join(
        f"id: {number}\nevent: number\ndata: {number}\n\n" for number in range(3)
    )


def test_sse_starlette_learns_that_its_client_leaves(
    star: httpx.Client, starlette: Server
) -> None:
    ticket = starlette.ticket()
    url = f"/endless-events?ticket={ticket}"
    # Compression holds small events back.
    headers = {"accept-encoding": "identity"}
    with star.stream("GET", url, headers=headers) as response:
        assert next(response.iter_lines()) == "data: tick"
    assert starlette.reported(ticket) == "closed"


def test_starlette_is_disconnected(servers: Servers, placement: Placement) -> None:
    # Without BaseHTTPMiddleware, under which this question does not work at all.
    starlette = servers.get("apps.starlette_app:bare", placement)
    ticket = starlette.ticket()
    request = f"GET /is-disconnected?ticket={ticket} HTTP/1.1\r\nHost: x\r\n\r\n"
    with starlette.connect() as wire:
        wire.send(request.encode())
        assert starlette.reported(ticket) is False
    assert starlette.reported(ticket) == "gone"


def test_starlette_aborted_upload(starlette: Server) -> None:
    ticket = starlette.ticket()
    head = f"POST /aborted-upload?ticket={ticket} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    with starlette.connect() as wire:
        wire.send(head.encode() + b"half")
        assert starlette.reported(ticket) == "reading"
    assert starlette.reported(ticket) == "client disconnect"


# --- Django -----------------------------------------------------------------------------------


@pytest.fixture
def django(servers: Servers, placement: Placement) -> Server:
    return servers.get("apps.django_app:app", placement)


@pytest.fixture
def django_client(django: Server) -> Iterator[httpx.Client]:
    with client_of(django) as client:
        yield client


def test_django_views(django_client: httpx.Client) -> None:
    assert django_client.get("/plain?a=b").text == "GET /plain?a=b 127.0.0.1"
    answer = django_client.get("/async", headers={"X-User": "me"}).json()
    assert answer == {"user": "me", "root": ""}
    assert django_client.get("/nowhere").status_code == 404


def test_django_upload(django_client: httpx.Client) -> None:
    files = [("file", ("a.txt", b"hello")), ("file", ("b.bin", NOISE))]
    answer = django_client.post("/upload", data={"word": "w"}, files=files).json()
    assert answer == {
        "word": "w",
        "files": [
            ["a.txt", 5, sum(b"hello") % 256],
            ["b.bin", len(NOISE), sum(NOISE) % 256],
        ],
    }


def test_django_body(django_client: httpx.Client) -> None:
    assert (
        django_client.post("/body", content=NOISE[:1_000_000]).content
        == NOISE[:1_000_000]
    )


def test_django_streams(django_client: httpx.Client) -> None:
    assert django_client.get("/stream").text == "0 1 2 3 4 "
    assert "urlpatterns" in django_client.get("/file").text


def test_django_errors(django_client: httpx.Client) -> None:
    assert django_client.get("/fails").status_code == 500
    assert django_client.get("/plain").status_code == 200


def test_django_cancels_its_view_when_the_client_leaves(django: Server) -> None:
    ticket = django.ticket()
    with django.connect() as wire:
        wire.send(
            f"GET /cancelled?ticket={ticket} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        assert django.reported(ticket) == "started"
    assert django.reported(ticket) == "cancelled"


def test_django_has_no_lifespan(start: Start) -> None:
    server = start("apps.django_app:app")
    assert (
        "INFO:     ASGI 'lifespan' protocol appears unsupported." in server.stderr.lines
    )
    assert server.stop() == 0


def test_django_below_a_root_path(start: Start) -> None:
    server = start("apps.django_app:app", "--root-path", "/api")
    with client_of(server) as client:
        assert client.get("/async").json()["root"] == "/api"
