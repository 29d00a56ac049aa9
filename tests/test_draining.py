"""The health path, the time between the signal and the end, and the file with the number."""

import signal
from pathlib import Path

import pytest

from conftest import Placement, Start
from harness.server import Server
from harness.wire import Wire
from harness.workers import get, one_connection_to_each, wait_for_workers

APP = "apps.workers:app"
HEALTH = ("--health-path", "/healthz")


@pytest.fixture(params=["1", "2"], ids=["one process", "two workers"])
def count(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start_with(start: Start, count: str, *options: str) -> Server:
    server = start(APP, "--workers", count, *options)
    wait_for_workers(server, int(count))
    # A worker accepts a moment after it has said that its application has started.
    for wire in one_connection_to_each(server, int(count)).values():
        wire.close()
    return server


def test_health_path_is_answered_by_the_server(
    start: Start, count: str, placement: Placement
) -> None:
    server = start_with(start, count, *HEALTH, *placement.options)
    with server.connect() as wire:
        for _ in range(2):
            response = wire.send(get("/healthz")).response()
            assert (response.status, response.body) == (200, b"ok\n")
            assert response.get(b"content-type") == b"text/plain; charset=utf-8"
            assert response.get(b"connection") is None
        head = wire.send(get("/healthz").replace(b"GET", b"HEAD")).response(
            head_only=True
        )
        assert (head.status, head.get(b"content-length")) == (200, b"3")
        assert wire.send(get("/healthz?x=1") + get("/pid")).response().status == 200
        assert wire.response().body.isdigit()
    assert server.stop() == 0
    assert "healthz" not in server.stdout.text, "it is not in the access log"
    assert "/pid" in server.stdout.text


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok", 404),
        (b"GET /healthz/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_only_the_health_path_is(
    start: Start, request_bytes: bytes, status: int
) -> None:
    server = start(APP, *HEALTH)
    with server.connect() as wire:
        response = wire.send(request_bytes).response()
        assert response.status == status
        if status == 200:
            assert response.get(b"connection") == b"close"
            wire.expect_end()


def test_health_path_is_exempt_from_limits(start: Start) -> None:
    server = start(
        APP, *HEALTH, "--limit-concurrency", "1", "--limit-max-requests", "2"
    )
    ticket = server.ticket()
    with server.connect() as busy, server.connect() as wire:
        busy.send(get(f"/stubborn?ticket={ticket}"))
        assert server.reported(ticket) == "started"
        for _ in range(5):
            assert wire.send(get("/healthz")).response().status == 200
        assert wire.send(get("/pid")).response().status == 503
    assert server.running()


def test_without_the_option_the_path_is_the_applications(start: Start) -> None:
    server = start(APP)
    with server.connect() as wire:
        assert wire.send(get("/healthz")).response().status == 404


def serve_while_draining(server: Server, wire: Wire) -> None:
    response = wire.send(get("/healthz")).response()
    assert (response.status, response.body) == (503, b"draining\n")
    assert response.get(b"connection") == b"close"
    wire.expect_end()
    with server.connect() as new:
        response = new.send(get("/pid")).response()
        assert response.status == 200
        assert response.get(b"connection") == b"close"
        new.expect_end()


def wait_until_draining(server: Server, count: str) -> None:
    server.stderr.wait_until(
        lambda said: True if said.count(b"Shutting down") == int(count) else None,
        "draining",
    )
    # The line comes a moment before.
    for _ in range(200):
        with server.connect() as wire:
            if wire.send(get("/healthz")).response().status == 503:
                break


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_draining_server_serves_on_until_it_is_forced(
    start: Start, count: str, number: signal.Signals
) -> None:
    server = start_with(start, count, *HEALTH, "--drain-delay", "600")
    with server.connect() as idle:
        idle.send(get("/pid")).response()
        server.signal(number)
        wait_until_draining(server, count)
        response = idle.send(get("/pid")).response()
        assert response.get(b"connection") == b"close"
    with server.connect() as wire:
        serve_while_draining(server, wire)
    server.signal(signal.SIGINT)
    code = server.wait()
    alone_and_terminated = count == "1" and number == signal.SIGTERM
    assert code == (-signal.SIGTERM if alone_and_terminated else 0)


def test_drain_delay_ends(start: Start, count: str) -> None:
    server = start_with(start, count, "--drain-delay", "0.2")
    assert server.stop(signal.SIGINT) == 0
    assert "Application shutdown complete." in server.stderr.text


# --- --pid-file -----------------------------------------------------------------------------------


def test_pid_file_lives_as_long_as_the_server(
    start: Start, tmp_path: Path, count: str
) -> None:
    path = tmp_path / "app.pid"
    path.write_text("of somebody who died")
    server = start_with(start, count, "--pid-file", str(path))
    assert path.read_text() == f"{server.pid}\n"
    server.stop(signal.SIGTERM)
    assert not path.exists()


def test_pid_file_of_somebody_else_is_left_alone(
    start: Start, tmp_path: Path, count: str
) -> None:
    path = tmp_path / "app.pid"
    server = start_with(start, count, "--pid-file", str(path))
    path.write_text("1\n")
    server.stop()
    assert path.read_text() == "1\n"


def test_pid_file_that_cannot_be_written_is_one_line(
    launch: Start, tmp_path: Path, count: str
) -> None:
    path = tmp_path / "nowhere" / "app.pid"
    server = launch(APP, "--port", "0", "--workers", count, "--pid-file", str(path))
    assert server.wait() == (3 if count == "1" else 1)
    assert f"Cannot write the file of --pid-file, '{path}': " in server.stderr.text
    assert "Traceback" not in server.stderr.text
