"""nginx and HAProxy in front, configured as docs/deploying.md says."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.deadline import Deadline
from harness.document import blocks
from harness.load import Load
from harness.server import Server
from harness.wire import Wire
from harness.workers import (
    StartWorkers,
    get,
    wait_for_end_of,
    workers,
)

APP = "apps.workers:app"


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


class Proxy:
    """A proxy that listens on a Unix socket, so that no port is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = Deadline()
        while not self.serves():
            assert deadline.left() and self.process.poll() is None, command
            time.sleep(0.02)

    def serves(self) -> bool:
        try:
            with self.connect() as wire:
                return wire.send(get("/pid")).response().status == 200
        except (OSError, AssertionError):
            return False

    def connect(self) -> Wire:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self.path))
        return Wire(connection)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


def needs(program: str) -> pytest.MarkDecorator:
    found = shutil.which(
        program, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
    )
    return pytest.mark.skipif(found is None, reason=f"{program} is not installed")


@pytest.fixture
def server(start_workers: StartWorkers) -> Server:
    return start_workers(APP, 2, "--health-path", "/healthz")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    proxy = Proxy(tmp_path / "front.sock")
    yield proxy
    proxy.stop()


def start_nginx(proxy: Proxy, server: Server, folder: Path) -> None:
    site = replaced(
        blocks("deploying.md", "nginx")[0],
        ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
        ("listen 80;", f"listen unix:{proxy.path};"),
    )
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{site}}}\n"
    )
    proxy.start("nginx", "-c", str(file), "-p", str(folder), "-e", "stderr")


def start_haproxy(proxy: Proxy, server: Server, folder: Path) -> None:
    file = folder / "haproxy.cfg"
    file.write_text(
        replaced(
            blocks("deploying.md", "haproxy")[0],
            ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
            ("bind :80", f"bind unix@{proxy.path}"),
        )
    )
    proxy.start("haproxy", "-db", "-f", str(file))


KINDS = [
    pytest.param(start_nginx, marks=needs("nginx"), id="nginx"),
    pytest.param(start_haproxy, marks=needs("haproxy"), id="haproxy"),
]


@pytest.mark.parametrize("start_proxy", KINDS)
def test_restart_behind_a_proxy(
    server: Server, proxy: Proxy, tmp_path: Path, start_proxy: object
) -> None:
    start_proxy(proxy, server, tmp_path)  # type: ignore[operator]
    old = workers(server)
    with Load(proxy) as load:  # type: ignore[arg-type]
        server.signal(signal.SIGHUP)
        for pid in old:
            wait_for_end_of(pid)
        load.wait_for_pids(2, without=old)
    assert server.stop() == 0


@needs("haproxy")
def test_haproxy_sees_that_a_server_drains(
    start_workers: StartWorkers, proxy: Proxy, tmp_path: Path
) -> None:
    server = start_workers(APP, 2, "--health-path", "/healthz", "--drain-delay", "600")
    start_haproxy(proxy, server, tmp_path)
    server.signal(signal.SIGTERM)
    deadline = Deadline(40)
    while proxy.serves():
        assert deadline.left(), "HAProxy goes on to send requests"
        time.sleep(0.05)
    with proxy.connect() as wire:
        assert wire.send(get("/pid")).response().status == 503
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
