"""Several processes: how they start, end, crash and fail, and what the log says of it."""

import json
import os
import shlex
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

import pytest

from conftest import Start
from harness.certificates import Authority, key_pem
from harness.deadline import Deadline
from harness.server import Server, program
from harness.workers import (
    StartWorkers,
    alive,
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
def two(start_workers: StartWorkers) -> Server:
    server = start_workers(APP, 2)
    return server


def lines_of_parent(server: Server) -> list[str]:
    return [
        line
        for line in server.stderr.lines
        if " process [" in line and "server process" not in line or "Received" in line
    ]


BECOMES_FIRST = """
import ctypes, os, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_orphans_are_waited_for(
    start_workers: StartWorkers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Process 1 of a container gets them without asking; here the parent has asked."""
    command = [sys.executable, "-c", BECOMES_FIRST, *program()]
    monkeypatch.setenv("SMOLCORN_COMMAND", shlex.join(command))
    server = start_workers(APP, 2)
    before = workers(server)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    orphan = int(ask(server, f"/orphan?fifo={fifo}"))
    assert orphan in workers(server), "it is the parent's"
    with fifo.open("w") as line:
        line.write("end\n")
    deadline = Deadline()
    while Path(f"/proc/{orphan}").exists():
        assert deadline.left(), "it stays as a zombie"
    assert workers(server) == before
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_life_of_two_workers(two: Server, number: signal.Signals) -> None:
    one, other = sorted(workers(two))
    for wire in one_connection_to_each(two, 2).values():
        wire.close()
    assert two.stop(number) == 0
    said = lines_of_parent(two)
    assert said[0] == f"INFO:     Started parent process [{two.pid}]"
    assert said[1] == f"INFO:     Received {number.name}, exiting."
    both = {one, other}
    assert set(said[2:4]) == {
        f"INFO:     Terminated child process [{pid}]" for pid in both
    }
    assert set(said[4:6]) == {
        f"INFO:     Waiting for child process [{pid}]" for pid in both
    }
    assert said[6:] == [f"INFO:     Stopping parent process [{two.pid}]"]
    assert two.stderr.lines[0].startswith(
        "INFO:     Smolcorn running on http://127.0.0.1:"
    )
    assert two.stderr.text.count("running on") == 1
    for pid in both:
        assert f"INFO:     Started server process [{pid}]" in two.stderr.lines
        assert f"INFO:     Finished server process [{pid}]" in two.stderr.lines


def test_interrupt_from_a_terminal_reaches_all_and_forces_nothing(two: Server) -> None:
    ticket = two.ticket()
    with two.connect() as wire:
        wire.send(
            f"POST /waits-for-body?ticket={ticket} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n".encode()
        )
        assert two.reported(ticket) == "started"
        os.killpg(two.pid, signal.SIGINT)
        two.stderr.wait_for("Waiting for connections to close")
        assert wire.send(b"ok").response().body == b"ok"
        assert two.wait() == 0
    assert "Traceback" not in two.stderr.text


def test_second_signal_forces(two: Server) -> None:
    ticket = two.ticket()
    with two.connect() as wire:
        wire.send(get(f"/stubborn?ticket={ticket}"))
        assert two.reported(ticket) == "started"
        two.signal(signal.SIGTERM)
        two.stderr.wait_for("Waiting for connections to close")
        two.signal(signal.SIGTERM)
        assert two.reported(ticket)[0] == "CancelledError"
        assert two.wait() == 0


def test_requests_are_cancelled_when_the_time_is_over(
    start_workers: StartWorkers,
) -> None:
    server = start_workers(APP, 2, "--timeout-graceful-shutdown", "1")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/stubborn?ticket={ticket}"))
        assert server.reported(ticket) == "started"
        assert server.stop(signal.SIGTERM) == 0
        assert server.reported(ticket) == [
            "CancelledError",
            "Task cancelled, timeout graceful shutdown exceeded",
        ]


def test_worker_that_does_not_end_is_killed(start_workers: StartWorkers) -> None:
    server = start_workers(APP, 2, "--timeout-graceful-shutdown", "0")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/block?seconds=600&ticket={ticket}"))
        pid = server.reported(ticket)
        assert server.stop(signal.SIGTERM) == 0
    assert (
        f"ERROR:    Child process [{pid}] did not end in time and was killed."
        in server.stderr.lines
    )


@pytest.mark.parametrize(
    "setting", [{"WEB_CONCURRENCY": "2"}, {"SMOLCORN_WORKERS": "2"}]
)
def test_number_of_workers_from_the_environment(
    start: Start, setting: dict[str, str]
) -> None:
    server = start(APP, env=setting)
    wait_for_workers(server, 2)
    assert len(workers(server)) == 2
    assert server.stop() == 0


def test_number_of_workers_from_an_environment_file(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "settings.env"
    path.write_text('# workers\nexport WEB_CONCURRENCY="2"\nOTHER=1\n')
    server = start(APP, "--env-file", str(path))
    wait_for_workers(server, 2)
    assert "OTHER" in ask(server, "/environment").split()
    assert server.stop() == 0


def test_application_does_not_see_how_workers_are_started(two: Server) -> None:
    names = ask(two, "/environment").split()
    assert not [name for name in names if name.startswith("_SMOLCORN")]


def test_sessions_are_resumed_by_other_workers(start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = start(
        APP, "--workers", "2", *authority.issue("localhost", "127.0.0.1").options
    )
    wait_for_workers(server, 2)
    context = authority.context()
    sessions: dict[int, ssl.SSLSession] = {}
    resumed: set[int] = set()
    deadline = Deadline()
    while len(resumed) < 2:
        assert deadline.left(), f"resumed by {resumed}"
        for issuer, session in [*sessions.items(), (0, None)]:
            with server.connect_tls(context, session=session) as wire:
                pid = int(wire.send(get("/pid")).response().body)
                assert wire.tls.session_reused is (session is not None)
                if session is not None and issuer != pid:
                    resumed.add(pid)
                sessions.setdefault(pid, wire.tls.session)
    assert server.stop() == 0


PASSWORD = "a password that nobody else is to see"


@pytest.mark.parametrize("form", ["two words", "one word", "variable", "reload"])
def test_password_of_a_key_stands_in_no_command_line(
    start: Start, tmp_path: Path, form: str
) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost", "127.0.0.1")
    issued.keyfile.write_bytes(key_pem(issued.key, password=PASSWORD))
    options: tuple[str, ...] = ("--ssl-keyfile-password", PASSWORD)
    env: dict[str, str] = {}
    if form == "one word":
        options = (f"--ssl-keyfile-password={PASSWORD}",)
    if form == "variable":
        options, env = (), {"SMOLCORN_SSL_KEYFILE_PASSWORD": PASSWORD}
    kind = ("--reload",) if form == "reload" else ("--workers", "2")
    server = start(APP, *options, *kind, *issued.options, env=env)
    wait_for_workers(server, 1)
    with server.connect_tls(authority.context()) as wire:
        answered_by = int(wire.send(get("/pid")).response().body)
    for pid in {answered_by, *workers(server)}:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert PASSWORD.encode() not in b" ".join(words)
        assert b"--ssl-keyfile" in words
        assert b"--ssl-keyfile-password" not in words
    assert server.stop() == 0


def test_bad_certificate_is_one_line(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "bad.pem"
    path.write_text("nothing")
    server = launch(APP, "--port", "0", "--workers", "2", "--ssl-certfile", str(path))
    assert server.wait() == 3
    assert server.stderr.text.count(str(path)) == 1


# --- The parent's lines ---------------------------------------------------------------------------


def test_parent_keeps_to_the_log_level(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    server = launch(
        *(APP, "--uds", str(path), "--workers", "2", "--log-level", "error")
    )
    deadline = Deadline()
    while len(workers(server)) < 2 or not path.exists():
        assert deadline.left()
        time.sleep(0.01)
    victim = min(workers(server))
    server.address = str(path)
    ask(server)
    kill(victim)
    server.stderr.wait_for(rf"Child process \[{victim}\] (died|failed to start)")
    assert server.stop() == 0
    assert [line.partition(":")[0] for line in server.stderr.lines] == ["ERROR"]


@pytest.mark.parametrize(
    ("option", "start_of_line"),
    [
        ("--use-colors", "\x1b[32mINFO\x1b[0m:     Started parent process [\x1b[36m"),
        ("--no-use-colors", "INFO:     Started parent process ["),
    ],
)
def test_parent_keeps_to_the_colours(
    start: Start, option: str, start_of_line: str
) -> None:
    server = start(APP, "--workers", "2", option)
    assert server.stop() == 0
    assert any(line.startswith(start_of_line) for line in server.stderr.lines)


LOG_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"own": {"format": "{%(message)s}"}},
    "handlers": {"own": {"class": "logging.StreamHandler", "formatter": "own"}},
    "loggers": {"uvicorn.error": {"handlers": ["own"], "level": "INFO"}},
}


def test_parent_writes_plain_lines_whatever_the_configuration_of_workers(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(LOG_CONFIG))
    server = start(APP, "--workers", "2", "--log-config", str(path))
    wait_for_lines(server, "{Application startup complete.}", 2)
    assert server.stop() == 0
    said = server.stderr.lines
    assert f"INFO:     Started parent process [{server.pid}]" in said
    assert f"INFO:     Stopping parent process [{server.pid}]" in said
    assert "INFO:     Application startup complete." not in said


# --- What cannot start ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "mode", "code", "shown"),
    [
        ("apps.nowhere:app", "", 3, "Could not import module"),
        ("apps.workers:nothing", "", 3, "not found in module"),
        ("apps.broken.raises:app", "", 1, "Traceback"),
        ("apps.life:app", "raises-in-startup", 3, "RuntimeError: a bug in start-up"),
    ],
)
def test_failure_at_the_start_ends_the_parent_with_its_code(
    launch: Start, app: str, mode: str, code: int, shown: str
) -> None:
    server = launch(app, "--port", "0", "--workers", "3", env={"MODE": mode})
    assert server.wait() == code
    said = server.stderr.text
    assert said.count(shown) == 1, "the reason is shown once"
    assert "failed to start, stopping the parent process." in said
    assert server.stderr.lines[-1] == (
        f"INFO:     Stopping parent process [{server.pid}]"
    )


def test_address_in_use_is_one_line(launch: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = launch(APP, "--port", str(port), "--workers", "2")
        assert server.wait() == 3
    (line,) = server.stderr.lines
    assert line.startswith("ERROR:    [Errno ") and line.endswith("in use")


@pytest.mark.parametrize(
    "option",
    [
        ("--limit-worker-memory", "100"),
        ("--limit-worker-age", "1"),
        ("--restart-blocked-workers",),
    ],
)
def test_what_needs_a_supervisor_says_so(launch: Start, option: tuple[str]) -> None:
    server = launch(APP, "--port", "0", *option)
    assert server.wait() == 2
    assert f"Option '{option[0]}' needs more than one worker" in server.stderr.text


# --- Crashes --------------------------------------------------------------------------------------


def test_killed_worker_costs_only_its_own_connections(two: Server) -> None:
    wires = one_connection_to_each(two, 2)
    victim, survivor = sorted(wires)
    kill(victim)
    two.stderr.wait_for(
        rf"^ERROR:    Child process \[{victim}\] died \(killed by SIGKILL\)\.$"
    )
    wires[victim].expect_end()
    assert wires[survivor].send(get("/pid")).response().body == str(survivor).encode()
    for _ in range(20):
        assert int(ask(two)) != victim
    wait_for_workers(two, 3)
    assert len(workers(two)) == 2
    assert two.stop() == 0


def test_worker_that_does_not_start_again_is_tried_later(
    start_workers: StartWorkers, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    server = start_workers(APP, 2, env={"BROKEN_WHILE": str(broken)})
    for wire in one_connection_to_each(server, 2).values():
        wire.close()
    broken.touch()
    kill(min(workers(server)))
    server.stderr.wait_for(
        r"failed to start \(exit code 1\)\. The next one is started in 1 s\.$"
    )
    server.stderr.wait_for(r"The next one is started in 2 s\.$")
    assert server.stderr.text.count("RuntimeError: broken on purpose") == 1
    ask(server)
    broken.unlink()
    wait_for_workers(server, 3)
    assert server.stop() == 0


def test_frozen_worker_is_replaced(start_workers: StartWorkers) -> None:
    server = start_workers(APP, 2, "--timeout-worker-healthcheck", "1")
    frozen = min(workers(server))
    kill(frozen, signal.SIGSTOP)
    server.stderr.wait_for(
        rf"Child process \[{frozen}\] has not answered for 1 s and was killed"
    )
    wait_for_workers(server, 3)
    assert server.stop() == 0


def test_killed_parent_leaves_nobody_behind(two: Server) -> None:
    with two.connect() as idle:
        idle.send(get("/pid")).response()
        both = workers(two)
        assert len(both) == 2
        two.process.kill()
        for pid in both:
            wait_for_end_of(pid)
    # Nobody holds the pipe any more.
    two.stderr.wait_for_end()


def test_killed_parent_leaves_no_blocked_worker_behind(
    start_workers: StartWorkers,
) -> None:
    server = start_workers(APP, 2, "--timeout-graceful-shutdown", "0")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/block?seconds=600&ticket={ticket}"))
        pid = server.reported(ticket)
        server.process.kill()
        wait_for_end_of(pid)


# --- Blocked loops --------------------------------------------------------------------------------


@pytest.mark.parametrize("gil", ["free", "held"])
def test_blocked_worker_is_reported_and_left_alone(
    start_workers: StartWorkers, gil: str
) -> None:
    server = start_workers(APP, 2, "--timeout-worker-healthcheck", "1")
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/block?seconds=4&gil={gil}&ticket={ticket}"))
        pid = server.reported(ticket)
        server.stderr.wait_for(r"^WARNING:  The event loop has been blocked for")
        assert wire.response().body == str(pid).encode()
    assert alive(pid)
    server.stderr.wait_for(
        rf"^INFO:     The event loop runs again in child process \[{pid}\]$"
    )
    said = server.stderr.text
    assert said.count("The event loop has been blocked") == 1
    if gil == "free":
        assert "time.sleep(float(asked[" in said, "the stack shows where"
    assert "died" not in said
    assert server.stop() == 0


def test_blocked_worker_is_replaced_if_asked_for(start: Start) -> None:
    server = start(
        APP,
        *("--workers", "2", "--timeout-worker-healthcheck", "1"),
        *("--restart-blocked-workers", "--timeout-graceful-shutdown", "0"),
    )
    wait_for_workers(server, 2)
    ticket = server.ticket()
    with server.connect() as wire:
        wire.send(get(f"/block?seconds=600&ticket={ticket}"))
        pid = server.reported(ticket)
        wait_for_workers(server, 3)
        wait_for_end_of(pid)
    assert len(workers(server)) == 2
    assert server.stop() == 0


def test_slow_start_is_not_taken_for_a_blocked_loop(start: Start) -> None:
    server = start(
        "apps.workers_slow:app", "--workers", "2", "--timeout-worker-healthcheck", "1"
    )
    wait_for_workers(server, 2)
    assert "blocked" not in server.stderr.text
    assert "killed" not in server.stderr.text
    assert server.stop() == 0


def test_more_and_fewer(two: Server) -> None:
    two.signal(signal.SIGTTIN)
    two.stderr.wait_for(
        r"^INFO:     Received SIGTTIN, increasing the number of processes\.$"
    )
    wait_for_workers(two, 3)
    assert len(workers(two)) == 3
    for count in (2, 1):
        two.signal(signal.SIGTTOU)
        wait_for_count(two, count)
    two.signal(signal.SIGTTOU)
    two.stderr.wait_for(
        r"^INFO:     Already reached one process, cannot decrease the number of processes anymore\.$"
    )
    ask(two)
    assert len(workers(two)) == 1
    assert two.stop() == 0
