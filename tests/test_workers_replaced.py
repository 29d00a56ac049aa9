"""Workers and whole programs that take over from others, under load: not one request fails."""

import os
import signal
from pathlib import Path

import pytest

from conftest import Start
from harness.load import Load
from harness.server import Server
from harness.workers import (
    StartWorkers,
    ask,
    get,
    kill,
    one_connection_to_each,
    wait_for_count,
    wait_for_end_of,
    wait_for_lines,
    wait_for_workers,
    workers,
)

APP = "apps.workers:app"


@pytest.fixture
def serve(start_workers: StartWorkers) -> Start:
    """Serves with two workers, or `count`, and waits for them."""

    def serve_workers(*options: str, count: int = 2, **more: object) -> Server:
        return start_workers(APP, count, "--no-access-log", *options, **more)

    return serve_workers


# --- SIGHUP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "placement", [("--io-threads", "0"), ("--io-threads", "2", "--loop", "asyncio")]
)
def test_restart_under_load(serve: Start, placement: tuple[str, ...]) -> None:
    server = serve(*placement)
    old = workers(server)
    with Load(server) as load:
        server.signal(signal.SIGHUP)
        for pid in old:
            wait_for_end_of(pid)
        load.wait_for_pids(2, without=old)
    assert len(workers(server)) == 2
    assert "INFO:     Received SIGHUP, restarting processes." in server.stderr.lines
    assert server.stop() == 0


def test_restart_one_by_one_and_the_new_one_first(serve: Start) -> None:
    server = serve()
    old = workers(server)
    server.signal(signal.SIGHUP)
    wait_for_workers(server, 4)
    for pid in old:
        wait_for_end_of(pid)
    wait_for_lines(server, "Terminated child process", 2)
    said = server.stderr.text
    first, second = (
        said.index(f"Terminated child process [{pid}]")
        for pid in sorted(
            old, key=lambda pid: said.index(f"Terminated child process [{pid}]")
        )
    )
    started = [
        at
        for at in range(len(said))
        if said.startswith("Application startup complete.", at)
    ]
    assert started[2] < first < started[3] < second
    assert server.stop() == 0


def test_restart_lets_requests_finish(serve: Start) -> None:
    server = serve()
    ticket = server.ticket()
    with server.connect() as wire, server.connect() as idle:
        idle.send(get("/pid")).response()
        wire.send(
            f"POST /waits-for-body?ticket={ticket} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n".encode()
        )
        assert server.reported(ticket) == "started"
        server.signal(signal.SIGHUP)
        wait_for_workers(server, 3)
        server.stderr.wait_for("Terminated child process")
        response = wire.send(b"ok").response()
        assert response.body == b"ok"
        # An idle connection is good for one more request.
        assert idle.send(get("/pid")).response().status == 200
    wait_for_count(server, 2)
    assert server.stop() == 0


def test_restart_into_broken_code_changes_nothing(serve: Start, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    server = serve(env={"BROKEN_WHILE": str(broken)})
    for wire in one_connection_to_each(server, 2).values():
        wire.close()
    old = workers(server)
    with Load(server):
        broken.touch()
        server.signal(signal.SIGHUP)
        server.stderr.wait_for(
            r"^ERROR:    New child process \[\d+\] failed to start \(exit code 1\); "
            r"keeping worker \[\d+\] and aborting the restart\.$"
        )
    assert workers(server) == old
    assert server.stderr.text.count("RuntimeError: broken on purpose") == 1
    broken.unlink()
    server.signal(signal.SIGHUP)
    for pid in old:
        wait_for_end_of(pid)
    assert server.stop() == 0


def test_worker_that_an_operator_stops_is_replaced_without_loss(serve: Start) -> None:
    server = serve()
    victim = min(workers(server))
    with Load(server) as load:
        load.wait_for_pids(2)
        kill(victim, signal.SIGTERM)
        wait_for_workers(server, 3)
        wait_for_end_of(victim)
        load.wait_for_answers()
    assert len(workers(server)) == 2
    assert server.stop() == 0


def test_more_and_fewer_under_load(serve: Start) -> None:
    server = serve()
    with Load(server) as load:
        server.signal(signal.SIGTTIN)
        wait_for_workers(server, 3)
        load.wait_for_pids(3)
        server.signal(signal.SIGTTOU)
        wait_for_count(server, 2)
        load.wait_for_answers()
    assert server.stop() == 0


# --- Limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--limit-max-requests", "40", "--limit-max-requests-jitter", "10"),
            r"Maximum request limit of \d+ exceeded",
        ),
        (("--limit-worker-age", "1"), r"Age limit of 1 s exceeded by child process"),
    ],
)
def test_recycling_under_load(
    serve: Start, options: tuple[str, ...], said: str
) -> None:
    server = serve(*options, "--timeout-keep-alive", "1")
    old = workers(server)
    with Load(server) as load:
        seen = load.wait_for_pids(3, without=old)
        for pid in old:
            wait_for_end_of(pid)
    assert len(seen) >= 3
    server.stderr.wait_for(said)
    assert "died" not in server.stderr.text
    assert server.stop() == 0


def test_worker_that_grows_too_large_is_replaced(serve: Start) -> None:
    server = serve("--limit-worker-memory", "200")
    with Load(server) as load:
        large = int(ask(server, "/grow?mib=300"))
        server.stderr.wait_for(
            rf"^INFO:     Memory limit of 200 MiB exceeded by child process \[{large}\]\.$"
        )
        wait_for_workers(server, 3)
        wait_for_end_of(large)
        load.wait_for_answers()
    assert len(workers(server)) == 2
    assert server.stop() == 0


# --- SIGUSR2 --------------------------------------------------------------------------------------


def upgrade(server: Server, pid_file: Path) -> int:
    """Starts the program anew, and returns the number of the new one when the old one has ended."""
    server.signal(signal.SIGUSR2)
    assert server.process.wait(40) == 0
    return int(pid_file.read_text())


def test_upgrade_under_load(serve: Start, tmp_path: Path) -> None:
    pid_file = tmp_path / "app.pid"
    server = serve("--pid-file", str(pid_file))
    assert pid_file.read_text() == f"{server.pid}\n"
    old = workers(server)
    new = None
    try:
        with Load(server) as load:
            new = upgrade(server, pid_file)
            assert new != server.pid
            for pid in old:
                wait_for_end_of(pid)
            load.wait_for_pids(2, without=old)
        assert (
            f"INFO:     The new program [{new}] serves, exiting." in server.stderr.lines
        )
        os.kill(new, signal.SIGTERM)
        server.stderr.wait_for_end(40)
        assert not pid_file.exists()
    finally:
        if new is not None:
            end(new)


def test_upgrade_keeps_a_unix_socket(launch: Start, tmp_path: Path) -> None:
    path, pid_file = tmp_path / "app.sock", tmp_path / "app.pid"
    server = launch(
        APP, "--uds", str(path), "--workers", "2", "--pid-file", str(pid_file)
    )
    server.wait_until_ready()
    wait_for_workers(server, 2)
    new = None
    try:
        with Load(server, clients=2) as load:
            new = upgrade(server, pid_file)
            load.wait_for_answers()
        assert ask(server, "/server") == repr((str(path), None))
        os.kill(new, signal.SIGTERM)
        server.stderr.wait_for_end(40)
        assert not path.exists()
    finally:
        if new is not None:
            end(new)


def test_upgrade_to_a_program_that_does_not_start_changes_nothing(
    serve: Start, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    server = serve(env={"BROKEN_WHILE": str(broken)})
    old = workers(server)
    with Load(server):
        broken.touch()
        server.signal(signal.SIGUSR2)
        server.stderr.wait_for(
            r"^ERROR:    The new program \[\d+\] failed to start \(.*\); this one goes on\.$"
        )
    assert workers(server) == old
    assert server.stop() == 0


def end(pid: int) -> None:
    """Ends a process that may have ended already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
