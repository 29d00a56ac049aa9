"""`--bind`: several addresses of every kind, with one process and with several."""

import os
import re
import socket
from pathlib import Path

import pytest

from conftest import Start
from harness.server import Server
from harness.wire import Wire
from harness.workers import get, wait_for_workers

APP = "apps.workers:app"


@pytest.fixture(params=["1", "2"], ids=["one process", "two workers"])
def count(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start_bound(launch: Start, count: str, *binds: str, **more: object) -> Server:
    options = [f"--bind={bind}" for bind in binds]
    server = launch(APP, "--workers", count, *options, **more).wait_until_ready()
    wait_for_workers(server, int(count))
    # In one process the banner comes after the application's start.
    lines = len(binds)
    server.stderr.wait_until(
        lambda said: True if said.count(b"running on") >= lines else None, "banners"
    )
    return server


def connect(target: "tuple[str, int] | str") -> Wire:
    family = (
        socket.AF_UNIX
        if isinstance(target, str)
        else socket.AF_INET6
        if ":" in target[0]
        else socket.AF_INET
    )
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.connect(target)
    return Wire(connection)


def server_of(target: "tuple[str, int] | str") -> str:
    with connect(target) as wire:
        return wire.send(get("/server")).response().body.decode()


def ports(server: Server) -> list[int]:
    return [
        int(port)
        for port in re.findall(r"running on http://.*?:(\d+) \(", server.stderr.text)
    ]


def test_addresses_of_every_kind(launch: Start, tmp_path: Path, count: str) -> None:
    one, two = str(tmp_path / "one.sock"), str(tmp_path / "two.sock")
    with socket.create_server(("127.0.0.1", 0)) as ready_made:
        fd, fd_port = ready_made.fileno(), ready_made.getsockname()[1]
        server = start_bound(
            launch,
            count,
            "127.0.0.1:0",
            "[::1]:0",
            f"unix:{one}",
            f"unix:{two}",
            f"fd://{fd}",
            pass_fds=(fd,),
        )
        first, second = ports(server)
        assert server_of(("127.0.0.1", first)) == f"('127.0.0.1', {first})"
        assert server_of(("::1", second)) == f"('::1', {second})"
        assert server_of(one) == repr((one, None))
        assert server_of(two) == repr((two, None))
        assert server_of(("127.0.0.1", fd_port)) == f"('127.0.0.1', {fd_port})"
        assert server.stop() == 0
    assert not os.path.exists(one) and not os.path.exists(two)


def test_empty_host_is_both_families(launch: Start, count: str) -> None:
    server = start_bound(launch, count, ":0")
    (port,) = ports(server)
    assert server_of(("127.0.0.1", port)) == f"('127.0.0.1', {port})"
    assert server_of(("::1", port)) == f"('::1', {port})"
    assert server.stop() == 0


def test_address_means_itself(launch: Start, count: str) -> None:
    # Whoever holds the port for IPv4 must be able to keep it.
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        server = start_bound(launch, count, f"[::]:{port}")
        assert server_of(("::1", port)) == f"('::1', {port})"
        with connect(("127.0.0.1", port)):
            held.settimeout(10)
            held.accept()[0].close()
        assert server.stop() == 0


def test_mode_holds_for_all_unix_sockets(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    server = launch(APP, f"--bind=unix:{path}", "--uds-mode", "600").wait_until_ready()
    assert path.stat().st_mode & 0o777 == 0o600
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bind=localhost",), "Invalid value for '--bind': 'localhost' is not of"),
        (
            ("--bind=:1", "--port=1"),
            "Option '--bind' cannot be combined with '--port'.",
        ),
    ],
)
def test_mistakes(launch: Start, options: tuple[str, ...], message: str) -> None:
    server = launch(APP, *options)
    assert server.wait() == 2
    assert message in server.stderr.text


def test_one_bad_address_ends_it_all(launch: Start, count: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        server = launch(
            APP, "--workers", count, "--bind=127.0.0.1:0", f"--bind=127.0.0.1:{taken}"
        )
        assert server.wait() == 3
    assert "address already in use" in server.stderr.text
