"""Files that the server sends by itself (`http.response.pathsend`)."""

import hashlib
import os
from pathlib import Path

import pytest

from conftest import BARE, Placement, Pool, Start
from harness.server import Server
from harness.wire import Wire

APP = "apps.extensions:app"
MIB = 1024 * 1024


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(APP, *placement.options, *BARE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Files of noise, by their size."""
    folder = tmp_path_factory.mktemp("files")
    made = {}
    for size in (0, 1, 1000, 65_535, 65_536, 65_537, MIB, 50 * MIB):
        made[size] = folder / str(size)
        made[size].write_bytes(os.urandom(size))
    return made


def get(path: str, method: str = "GET", version: str = "1.1") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: x\r\n\r\n".encode()


def serves_on(wire: Wire) -> None:
    wire.send(b"POST /debug HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok")
    assert wire.response().body == b"ok"


def same(data: bytes, path: Path) -> bool:
    """Compares without showing megabytes of noise."""
    return hashlib.sha256(data).digest() == hashlib.sha256(path.read_bytes()).digest()


@pytest.mark.parametrize("size", [0, 1, 1000, 65_535, 65_536, 65_537, MIB, 50 * MIB])
def test_file_arrives_whole(server: Server, files: dict[int, Path], size: int) -> None:
    with server.connect() as wire:
        response = wire.send(get(f"/file?path={files[size]}")).response()
        assert (response.status, response.framing) == (200, "length")
        assert len(response.body) == size and same(response.body, files[size])
        serves_on(wire)


def test_files_in_a_row(server: Server, files: dict[int, Path]) -> None:
    sizes = [1, MIB, 0, 65_537, MIB, 1000]
    with server.connect() as wire:
        wire.send(b"".join(get(f"/file?path={files[size]}") for size in sizes))
        for size in sizes:
            body = wire.response().body
            assert len(body) == size and same(body, files[size])
        serves_on(wire)


def test_slow_reader(server: Server, files: dict[int, Path]) -> None:
    with server.connect(receive_buffer=4096) as wire:
        wire.send(get(f"/file?path={files[MIB]}") + get(f"/file?path={files[0]}"))
        assert same(wire.response().body, files[MIB])
        assert wire.response().body == b""


def test_reader_that_leaves(server: Server, files: dict[int, Path]) -> None:
    for _ in range(10):
        wire = server.connect().send(get(f"/file?path={files[50 * MIB]}"))
        wire.until(b"\r\n\r\n")
        wire.reset()
    with server.connect() as wire:
        serves_on(wire)


def test_head(server: Server, files: dict[int, Path]) -> None:
    with server.connect() as wire:
        wire.send(get(f"/file?path={files[MIB]}", method="HEAD"))
        response = wire.response(head_only=True)
        assert response.get(b"content-length") == b"%d" % MIB
        serves_on(wire)


def test_http_1_0(server: Server, files: dict[int, Path]) -> None:
    with server.connect() as wire:
        wire.send(get(f"/file?path={files[MIB]}", version="1.0"))
        assert same(wire.response().body, files[MIB])
        wire.expect_end()


@pytest.mark.parametrize("size", [0, 1, MIB])
def test_file_of_a_length_that_was_not_announced(
    server: Server, files: dict[int, Path], size: int
) -> None:
    with server.connect() as wire:
        response = wire.send(get(f"/file-without-length?path={files[size]}")).response()
        assert response.framing in ("length", "chunked")
        assert len(response.body) == size and same(response.body, files[size])
        serves_on(wire)


@pytest.mark.parametrize("length", [0, 999, 1001])
def test_file_of_another_length_than_announced(
    server: Server, files: dict[int, Path], length: int
) -> None:
    ticket = server.ticket()
    path = f"/file-with-length?path={files[1000]}&length={length}&ticket={ticket}"
    with server.connect() as wire:
        # Nothing that came could be taken for a whole answer of some other length.
        said = wire.send(get(path)).rest()
        head, _, body = said.partition(b"\r\n\r\n")
        assert b" 500 " in head or (
            len(body) < length and body in files[1000].read_bytes()
        )
    assert server.reported(ticket) == "RuntimeError"


@pytest.mark.parametrize("name", ["missing", "folder", "fifo", "no-rights"])
def test_file_that_cannot_be_read(server: Server, tmp_path: Path, name: str) -> None:
    ticket = server.ticket()
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name == "fifo":
        # Nobody writes to it: whoever opens it in the ordinary way waits.
        os.mkfifo(path)
    elif name == "no-rights":
        path.write_text("secret")
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
    url = f"/file-with-length?path={path}&length=5&ticket={ticket}"
    with server.connect() as wire:
        response = wire.send(get(url)).response()
        assert (response.status, response.body) == (500, b"Internal Server Error")
        wire.expect_end()
    assert server.reported(ticket) is not None


def test_error_of_a_missing_file_is_pythons(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "missing"
    with server.connect() as wire:
        said = wire.send(get(f"/missing-file?path={path}")).response().body.decode()
    with pytest.raises(FileNotFoundError) as found:
        path.open()
    assert said == f"{found.value.errno} {found.value.filename} {found.value}"


@pytest.mark.parametrize("kind", ["none", "number", "nul"])
def test_what_is_no_path(server: Server, kind: str) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        response = wire.send(get(f"/bad-path?kind={kind}&ticket={ticket}")).response()
        assert response.status == 500
    assert server.reported(ticket) is not None


def test_nothing_may_follow(server: Server, files: dict[int, Path]) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/body-after-file?path={files[1000]}&ticket={ticket}"))
        assert same(wire.response().body, files[1000])
        wire.expect_end()
    assert server.reported(ticket) == "RuntimeError"


def test_start_must_come_first(server: Server, files: dict[int, Path]) -> None:
    ticket = server.ticket()
    with server.connect() as wire:
        path = f"/file-before-start?path={files[1]}&ticket={ticket}"
        assert wire.send(get(path)).response().status == 500
    assert server.reported(ticket) == "RuntimeError"


def test_large_file_takes_no_memory(
    start: Start, placement: Placement, files: dict[int, Path]
) -> None:
    server = start(APP, *placement.options, *BARE)
    with server.connect() as wire:
        assert len(wire.send(get(f"/file?path={files[MIB]}")).response().body) == MIB
        before = server.memory_peak_mib()
        for _ in range(3):
            wire.send(get(f"/file?path={files[50 * MIB]}"))
            assert len(wire.response().body) == 50 * MIB
        assert server.memory_peak_mib() - before < 10
