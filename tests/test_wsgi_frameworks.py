"""WSGI applications of real frameworks, and an ASGI 2 application, served to a real client."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conftest import Placement
from harness.server import Server

NOISE = os.urandom(3_000_000)


class Served:
    """A client, and the server that it talks to."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = httpx.Client(base_url=server.url(""), timeout=20, trust_env=False)

    def quiet(self) -> bool:
        """Whether the server has said nothing but that it runs."""
        said = self.server.stderr.text
        return not any(word in said for word in ("ERROR", "WARNING", "Traceback"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "file.bin"
    path.write_bytes(NOISE)
    return path


def serve(
    app: str, placement: Placement, file: Path, *options: str
) -> Iterator[Served]:
    arguments = (app, "--port", "0", *placement.options, *options)
    server = Server(
        *arguments, env={"TEST_FILE": str(file), "STATIC": str(file.parent)}
    )
    served = Served(server.wait_until_ready())
    yield served
    served.client.close()
    server.kill()


@pytest.fixture(scope="module")
def flask(placement: Placement, file: Path) -> Iterator[Served]:
    yield from serve("apps.wsgi_frameworks:flask_app", placement, file)


@pytest.fixture(scope="module")
def pyramid(placement: Placement, file: Path) -> Iterator[Served]:
    yield from serve("apps.wsgi_frameworks:pyramid_app", placement, file)


@pytest.fixture(scope="module")
def django(placement: Placement, file: Path) -> Iterator[Served]:
    yield from serve("apps.django_app:wsgi", placement, file)


@pytest.fixture(scope="module")
def validated(placement: Placement, file: Path) -> Iterator[Served]:
    # It takes any arguments, and does not show what it wraps.
    yield from serve(
        "apps.wsgi_frameworks:validated", placement, file, "--interface", "wsgi"
    )


# --- wsgiref.validate -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", "a\nb\nc end"),
        ("/write", "written a\nb\nc end"),
        ("/exc-info", "a\nb\nc end"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_validator(validated: Served, path: str, answer: str, method: str) -> None:
    for _ in range(3):
        response = validated.client.request(
            method, path, content=b"a\nb\nc", headers={"content-type": "text/plain"}
        )
        assert (response.status_code, response.text) == (200, answer)
    assert validated.quiet()


def test_validator_and_clients_that_leave(validated: Served) -> None:
    for _ in range(20):
        validated.server.connect().send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").reset()
    assert validated.client.get("/").text == " end"


# --- Flask ------------------------------------------------------------------------------------


def test_flask(flask: Served) -> None:
    client = flask.client
    response = client.get("/", params={"name": "w\u00f6rld"})
    assert response.text == "hello w\u00f6rld"
    assert response.headers["content-length"] == "12"
    answer = client.post("/json", json=[1, "\u00e9"], headers={"x-user": "me"}).json()
    assert answer == {"got": [1, "\u00e9"], "user": "me"}
    assert client.get("/nowhere").status_code == 404
    assert client.post("/").status_code == 405
    assert client.head("/").headers["content-length"] == "12"
    assert client.get("/url").text == flask.server.url("/")
    assert client.get("/url", headers={"x-forwarded-proto": "https"}).text.startswith(
        "https://"
    )
    assert flask.quiet()


def test_flask_uploads(flask: Served) -> None:
    uploaded = {"file": ("n\u00f6ise.bin", NOISE)}
    answer = flask.client.post("/upload", files=uploaded).json()
    assert answer == {"name": "n\u00f6ise.bin", "size": len(NOISE)}
    assert flask.client.post("/raw", content=NOISE).json() == {"size": len(NOISE)}
    # Without a length, in chunks.
    pieces = iter([NOISE[:1000], NOISE[1000:]])
    assert flask.client.post("/raw", content=pieces).json() == {"size": len(NOISE)}
    assert flask.quiet()


def test_flask_streams_and_files(flask: Served) -> None:
    assert flask.client.get("/stream").text == "/stream 0\n/stream 1\n/stream 2\n"
    response = flask.client.get("/file")
    assert response.content == NOISE
    part = flask.client.get("/file", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, NOISE[10:20])
    known = {"if-none-match": response.headers["etag"]}
    assert flask.client.get("/file", headers=known).status_code == 304
    assert flask.quiet()


def test_flask_errors_are_its_own(flask: Served) -> None:
    response = flask.client.get("/error")
    assert (
        response.status_code == 500 and "text/html" in response.headers["content-type"]
    )
    flask.server.stderr.wait_for("LookupError: mine")


# --- Pyramid ----------------------------------------------------------------------------------


def test_pyramid(pyramid: Served) -> None:
    assert pyramid.client.get("/hello/w%C3%B6rld").text == "hello w\u00f6rld 127.0.0.1"
    answer = pyramid.client.post("/upload", files={"file": ("a", NOISE)}).json()
    assert answer == {"size": len(NOISE)}
    assert pyramid.client.get("/file").content == NOISE
    part = pyramid.client.get("/file", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, NOISE[10:20])
    assert pyramid.client.get("/nowhere").status_code == 404
    assert pyramid.quiet()


# --- Django -----------------------------------------------------------------------------------


def test_django(django: Served) -> None:
    assert django.client.get("/plain?a=b").text == "GET /plain?a=b 127.0.0.1"
    assert (
        django.client.post("/body", content=NOISE[:100_000]).content == NOISE[:100_000]
    )
    answer = django.client.post(
        "/upload", data={"word": "w\u00f6rd"}, files={"file": ("a", NOISE)}
    ).json()
    assert answer == {
        "word": "w\u00f6rd",
        "files": [["a", len(NOISE), sum(NOISE) % 256]],
    }
    assert django.quiet()


def test_django_in_one_thread_or_many(placement: Placement, file: Path) -> None:
    for threads in ("1", "4"):
        arguments = ("apps.django_app:wsgi", "--port", "0", "--wsgi-threads", threads)
        server = Server(
            *arguments, *placement.options, env={"STATIC": str(file.parent)}
        )
        try:
            served = Served(server.wait_until_ready())
            for number in range(20):
                path = f"/plain?{number}"
                assert served.client.get(path).text == f"GET {path} 127.0.0.1"
            served.client.close()
        finally:
            server.kill()


# --- ASGI 2 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--interface", "asgi2")])
def test_asgi2(placement: Placement, file: Path, options: tuple[str, ...]) -> None:
    arguments = ("apps.loading:Double", "--port", "0", *placement.options, *options)
    server = Server(*arguments)
    try:
        served = Served(server.wait_until_ready())
        for _ in range(3):
            assert served.client.get("/").text == "asgi 2.0"
        served.client.close()
    finally:
        server.kill()
