"""WSGI: what `wsgi.file_wrapper` sends is what reading the file gives (PEP 3333)."""

from collections.abc import Iterator

import pytest

from conftest import BARE, Placement
from harness.server import Server

APP = "apps.wsgi_files:app"
CONTENT = b"a line of text\n" * 20_000


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, placement: Placement
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("files")
    arguments = (APP, "--port", "0", *placement.options, *BARE)
    server = Server(*arguments, env={"TEST_FOLDER": str(folder)}).wait_until_ready()
    yield server
    server.kill()


def get(name: str) -> bytes:
    return f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reader", CONTENT),
        ("raw", CONTENT),
        ("random", CONTENT),
        ("temporary", CONTENT),
        ("nameless", CONTENT),
        ("reader_that_is_back", CONTENT),
        ("random_with_unwritten", b"A LINE" + CONTENT[6:]),
    ],
)
def test_files_of_the_system(server: Server, name: str, content: bytes) -> None:
    server.mark_use()
    with server.connect() as wire:
        response = wire.send(get(name)).response()
    # The length is known of what goes out by the kernel's own copy, and of nothing else.
    assert response.framing == "length" and response.body == content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gz", CONTENT),
        ("bz", CONTENT),
        ("xz", CONTENT),
        ("reader_of_gz", CONTENT),
        ("raw_subclass", CONTENT.upper()),
        ("reader_of_subclass", CONTENT.upper()),
        ("reader_subclass", CONTENT.upper()),
        ("reader_with_a_read_of_its_own", CONTENT.upper()),
        ("temporary_with_a_read_of_its_own", CONTENT.upper()),
        ("temporary_that_is_back", CONTENT),
        ("spooled", CONTENT),
        ("memory", CONTENT),
        ("part", CONTENT[10:5010]),
        ("moved_reader", CONTENT[10:]),
        ("moved_raw", CONTENT[10:]),
        ("moved_random", CONTENT[10:]),
        ("moved_temporary", CONTENT[10:]),
        ("moved_gz", CONTENT[10:]),
    ],
)
def test_files_that_are_read(server: Server, name: str, content: bytes) -> None:
    server.mark_use()
    with server.connect() as wire:
        response = wire.send(get(name)).response()
    assert response.framing == "chunked" and response.body == content


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("text", "TypeError: The body of a response must be bytes, not str."),
        ("temporary_text", "TypeError: The body of a response must be bytes, not str."),
        ("write_only", "io.UnsupportedOperation: File not open for reading"),
        ("closed", "ValueError: read of closed file"),
    ],
)
def test_files_that_cannot_be_sent(server: Server, name: str, error: str) -> None:
    server.mark_use()
    before = server.stderr.size()
    with server.connect() as wire:
        assert wire.send(get(name)).response().status == 500
    server.stderr.wait_for(error, start=before)
