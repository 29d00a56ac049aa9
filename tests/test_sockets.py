"""What the server listens on: addresses, unix sockets, descriptors of others."""

import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from conftest import Placement, Start
from harness.server import Server
from harness.wire import Wire

APP = "apps.wire:app"
REQUEST = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"


def serves(server: Server, **where: str) -> None:
    with server.connect(**where) as wire:  # type: ignore[arg-type]
        assert wire.send(REQUEST).response().body == b"1.1"


def serves_at(address: tuple[str, int]) -> None:
    with Wire(socket.create_connection(address)) as wire:
        assert wire.send(REQUEST).response().body == b"1.1"


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
        return True


# --- TCP --------------------------------------------------------------------------------------


def test_port_0_names_the_real_port(start: Start, placement: Placement) -> None:
    server = start(APP, *placement.options)
    assert server.port > 0
    serves(server)


def test_given_port(start: Start, launch: Start) -> None:
    # The port of a server that has just ended can be bound again at once, though its
    # connections are still in the system's memory.
    first = start(APP)
    serves(first)
    port = first.port
    with first.connect() as wire:
        wire.send(REQUEST).response()
        first.stop()
    second = launch(APP, "--port", str(port)).wait_until_ready()
    assert second.port == port
    serves(second)


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("", "")]
)
def test_banner_shows_the_host(start: Start, host: str, shown: str) -> None:
    server = start(APP, "--host", host)
    serves(server, host="127.0.0.1")
    banner = f"INFO:     Smolcorn running on http://{shown}:{server.port} (Press CTRL+C to quit)"
    assert banner in server.stderr.lines


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6(start: Start) -> None:
    server = start(APP, "--host", "::1")
    serves(server)
    assert (
        f"INFO:     Smolcorn running on http://[::1]:{server.port} (Press CTRL+C to quit)"
        in server.stderr.lines
    )


def test_name_binds_all_its_addresses(start: Start) -> None:
    found = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)
    addresses = {str(entry[4][0]) for entry in found}
    server = start(APP, "--host", "localhost")
    for address in addresses:
        serves_at((address, server.port))


def test_port_in_use(launch: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = launch("apps.life:app", "--port", str(port))
        assert server.wait() == 3
    assert (
        "ERROR:    [Errno 98] error while attempting to bind on address "
        f"('127.0.0.1', {port}): address already in use"
    ) in server.stderr.lines
    # The application had started by then, and is told to shut down.
    assert [server.reported("event")["type"] for _ in range(2)] == [
        "lifespan.startup",
        "lifespan.shutdown",
    ]
    assert server.stderr.lines[-1] == "INFO:     Application shutdown complete."


def test_address_of_somebody_else(launch: Start) -> None:
    server = launch(APP, "--host", "203.0.113.7", "--port", "0")
    assert server.wait() == 3
    assert (
        "ERROR:    [Errno 99] error while attempting to bind on address "
        "('203.0.113.7', 0): cannot assign requested address"
    ) in server.stderr.lines


@pytest.mark.parametrize("port", ["99999", "-1", "65536"])
def test_port_out_of_range(launch: Start, port: str) -> None:
    server = launch(APP, f"--port={port}")
    assert server.wait() == 2
    assert "'--port'" in server.stderr.lines[-1]


# --- Unix sockets -----------------------------------------------------------------------------


def test_unix_socket(start: Start, tmp_path: Path, placement: Placement) -> None:
    path = tmp_path / "socket"
    server = start(APP, *placement.options, "--uds", str(path))
    banner = f"INFO:     Smolcorn running on unix socket {path} (Press CTRL+C to quit)"
    assert banner in server.stderr.lines
    serves(server)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert server.stop() == 0
    assert not path.exists()


@pytest.mark.parametrize("mode", ["600", "660", "0640"])
def test_mode_of_a_unix_socket(start: Start, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "socket"
    serves(start(APP, "--uds", str(path), "--uds-mode", mode))
    assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)


def test_stale_unix_socket_is_replaced(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    serves(start(APP, "--uds", str(path)))


def test_unix_socket_in_use_is_left_alone(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        server = launch(APP, "--uds", str(path))
        assert server.wait() == 3
        assert "address already in use" in server.stderr.text
        assert path.is_socket()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_never_deleted(
    launch: Start, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "precious"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        (tmp_path / "target").write_text("precious")
        path.symlink_to(tmp_path / "target")
    server = launch(APP, "--uds", str(path))
    assert server.wait() in (1, 3)
    assert "Traceback" not in server.stderr.text
    assert path.exists()
    if kind != "folder":
        assert path.read_text() == "precious"


def test_socket_of_somebody_else_at_the_end_is_kept(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    server = start(APP, "--uds", str(path))
    path.unlink()
    path.write_text("precious")
    assert server.stop() == 0
    assert path.read_text() == "precious"


# --- Descriptors of others --------------------------------------------------------------------


def test_tcp_descriptor(launch: Start, placement: Placement) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        server = launch(APP, *placement.options, "--fd", str(number), pass_fds=[number])
        server.wait_until_ready()
        address = listening.getsockname()
        serves_at(address)
        banner = (
            f"INFO:     Smolcorn running on socket {address} (Press CTRL+C to quit)"
        )
        assert banner in server.stderr.lines
        assert server.stop() == 0


def test_descriptor_of_a_socket_that_does_not_listen_yet(launch: Start) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        number = bound.fileno()
        launch(APP, "--fd", str(number), pass_fds=[number]).wait_until_ready()
        serves_at(bound.getsockname())


def test_unix_descriptor(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        number = listening.fileno()
        server = launch(APP, "--fd", str(number), pass_fds=[number])
        server.wait_until_ready()
        server.address = str(path)
        serves(server)
        assert server.stop() == 0
    # It belongs to whoever made it.
    assert path.is_socket()


def test_descriptor_that_is_not_open(launch: Start) -> None:
    server = launch(APP, "--fd", "241", "--lifespan", "off")
    assert server.wait() in (1, 3)
    assert "[Errno 9]" in server.stderr.text


# Puts the sockets whose numbers are given at 3 and up, as systemd does, and becomes the program.
ACTIVATE = """
import os, sys
count = int(sys.argv[1])
numbers = [int(number) for number in sys.argv[2:2 + count]]
kept = [os.dup(number) for number in numbers]
kept = [os.dup2(number, 100 + at) for at, number in enumerate(kept)]
report = int(os.environ["TEST_REPORTS_FD"])
os.dup2(report, 200)
os.environ["TEST_REPORTS_FD"] = "200"
for at, number in enumerate(kept):
    os.dup2(number, 3 + at)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2 + count], sys.argv[2 + count:])
"""


def test_sockets_from_systemd(launch: Start) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        numbers = [one.fileno(), two.fileno()]
        prefix = [sys.executable, "-c", ACTIVATE, "2", *map(str, numbers)]
        server = launch(APP, pass_fds=numbers, prefix=prefix)
        server.wait_until_ready()
        serves_at(one.getsockname())
        serves_at(two.getsockname())
        assert server.stop() == 0


def test_sockets_for_another_process_are_not_ours(launch: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        server = launch(
            APP,
            "--port",
            "0",
            pass_fds=[number],
            env={"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())},
        )
        server.wait_until_ready()
        assert server.port != listening.getsockname()[1]
        serves(server)


def test_backlog(start: Start) -> None:
    serves(start(APP, "--backlog", "1"))
