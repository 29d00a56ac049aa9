"""The health path, the time between the signal and the end, and the file with the number."""

import signal
import socket
from pathlib import Path

import pytest

from conftest import Placement, Start
from harness.deadline import Deadline
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
    lines = server.stderr.lines
    draining = "INFO:     Draining for 0.2 s. (Press CTRL+C to stop now)"
    assert lines.count(draining) == int(count)
    assert lines.index("INFO:     Shutting down") < lines.index(draining)
    assert "Application shutdown complete." in server.stderr.text


@pytest.mark.parametrize(
    ("count", "more"), [("1", ()), ("2", ()), ("2", ("--preload",))]
)
def test_nobody_is_let_in_who_would_not_be_served(
    start: Start, count: str, more: tuple[str, ...]
) -> None:
    """While a request is under way connections are refused, and not left to wait for nobody."""
    server = start_with(start, count, *more)
    ticket = server.ticket()
    with server.connect() as busy:
        busy.send(get(f"/stubborn?ticket={ticket}"))
        assert server.reported(ticket) == "started"
        server.signal(signal.SIGTERM)
        deadline = Deadline(20)
        while is_let_in(server):
            assert deadline.left(), "it still accepts"
        assert server.running()


def test_half_a_head_does_not_hold_up_the_end(
    start: Start, placement: Placement
) -> None:
    long = ("--timeout-head", "600", "--timeout-graceful-shutdown", "600")
    server = start(APP, *long, *placement.options)
    with server.connect() as stalled:
        stalled.send(b"GET / HT")
        assert server.stop(signal.SIGTERM) == -signal.SIGTERM
        response = stalled.response()
        assert response.status == 408
        assert response.get(b"connection") == b"close"
        stalled.expect_end()


def is_let_in(server: Server) -> bool:
    try:
        with server.connect():
            return True
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        # It came in the moment in which the last socket was closed.
        return True


# --- While the application starts -----------------------------------------------------------------

STATE = b"POST /state HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"

KINDS = {
    "one process": ("--workers", "1"),
    "two workers": ("--workers", "2"),
    "preloaded": ("--workers", "2", "--preload"),
}


class Starting:
    """A server whose application starts when it is let."""

    def __init__(self, launch: Start, folder: Path, *options: str, mode: str) -> None:
        self._path = folder / "app.sock"
        self._gate = folder / "start"
        self.server = launch(
            *("apps.starting:app", "--uds", str(self._path), *options),
            env={"START_WHEN": str(self._gate), "MODE": mode},
        )
        assert isinstance(self.server.reported("starting"), int)
        self.server.address = str(self._path)

    def go_on(self) -> None:
        self._gate.touch()

    def is_bound(self) -> bool:
        return self._path.exists()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_health_path_says_that_the_application_starts(
    launch: Start, tmp_path: Path, kind: tuple[str, ...], placement: Placement
) -> None:
    starting = Starting(
        launch, tmp_path, *HEALTH, *kind, *placement.options, mode="complete"
    )
    server = starting.server
    with server.connect() as wire, server.connect() as early, server.connect() as gone:
        for _ in range(2):
            response = wire.send(get("/healthz")).response()
            assert (response.status, response.body) == (503, b"starting\n")
        early.send(STATE)
        gone.send(get("/pid"))
        gone.close()
        assert wire.send(get("/healthz")).response().status == 503
        assert "startup complete" not in server.stderr.text
        starting.go_on()
        assert early.response().body == b"in start-up: body"
        response = wire.send(get("/healthz")).response()
        assert (response.status, response.body) == (200, b"ok\n")
    assert server.stop() == 0
    assert "healthz" not in server.stdout.text


def test_without_a_health_path_nothing_is_bound_before_the_start(
    launch: Start, tmp_path: Path
) -> None:
    starting = Starting(launch, tmp_path, mode="complete")
    assert not starting.is_bound()
    starting.go_on()
    starting.server.stderr.wait_for("Smolcorn running on")
    assert starting.server.stop() == 0


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_failing_start_ends_requests_that_wait(
    launch: Start, tmp_path: Path, kind: tuple[str, ...]
) -> None:
    starting = Starting(launch, tmp_path, *HEALTH, *kind, mode="failed")
    with starting.server.connect() as early:
        early.send(STATE)
        starting.go_on()
        early.expect_end()
    assert starting.server.wait() == 3
    assert not starting.is_bound()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_signal_during_the_start_ends_requests_that_wait(
    launch: Start, tmp_path: Path, kind: tuple[str, ...]
) -> None:
    starting = Starting(launch, tmp_path, *HEALTH, *kind, mode="complete")
    with starting.server.connect() as early:
        early.send(STATE)
        assert starting.server.stop() == 0
        early.expect_end()
    assert not starting.is_bound()


def test_address_in_use_is_known_before_the_start(
    launch: Start, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        env = {"START_WHEN": str(tmp_path / "start")}
        server = launch("apps.starting:app", "--port", port, *HEALTH, env=env)
        assert server.wait() == 3
    assert server.report_count("starting") == 0
    assert "in use" in server.stderr.text


def test_new_worker_says_nothing_while_others_serve(
    launch: Start, tmp_path: Path
) -> None:
    starting = Starting(launch, tmp_path, *HEALTH, "--workers", "2", mode="complete")
    server = starting.server
    starting.go_on()
    wait_for_workers(server, 2)
    (tmp_path / "start").unlink()
    assert server.reported("starting")
    server.signal(signal.SIGHUP)
    assert server.reported("starting")
    for _ in range(50):
        with server.connect() as wire:
            assert wire.send(get("/healthz")).response().status == 200
    starting.go_on()
    wait_for_workers(server, 4)
    assert server.stop() == 0


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
    assert server.wait() == 3
    assert f"Cannot write the file of --pid-file, '{path}': " in server.stderr.text
    assert "Traceback" not in server.stderr.text
    assert "Waiting for application startup." not in server.stderr.text


@pytest.mark.parametrize(
    "second", [("--workers", "1"), ("--workers", "2"), ("--reload",)]
)
def test_pid_file_of_a_server_that_runs_is_its_own(
    start: Start, launch: Start, tmp_path: Path, second: tuple[str, ...]
) -> None:
    path = tmp_path / "app.pid"
    server = start_with(start, "1", "--pid-file", str(path))
    another = launch(APP, "--port", "0", "--pid-file", str(path), *second)
    assert another.wait() == 3
    # Nothing was begun: no line of the application, nor of a worker.
    [line] = (line for line in another.stderr.lines if "Will watch" not in line)
    assert (
        line
        == f"ERROR:    --pid-file: '{path}' is of process {server.pid}, which runs."
    )
    assert path.read_text() == f"{server.pid}\n"
    with server.connect() as wire:
        assert wire.send(get("/pid")).response().body == str(server.pid).encode()


def test_pid_file_goes_with_a_start_that_fails(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "app.pid"
    for app in ("no_such:app", APP):
        server = launch(app, "--loop", "foo:bar", "--pid-file", str(path))
        assert server.wait() != 0
        assert not path.exists()
