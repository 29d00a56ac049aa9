"""`--preload`: one import for all workers, which are forked from the process that did it."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Placement, Start
from harness.certificates import Authority
from harness.deadline import Deadline
from harness.load import Load
from harness.server import Server
from harness.wire import Wire
from harness.workers import (
    StartWorkers,
    alive,
    ask,
    get,
    kill,
    memory_mib,
    one_connection_to_each,
    wait_for_end_of,
    wait_for_lines,
    wait_for_workers,
)

APP = "apps.preloaded:app"
PRELOADING = "Preloading the application in process"


@pytest.fixture
def serve(start_workers: StartWorkers) -> Start:
    """Serves with two workers, or `count`, that are forked, and waits for them."""

    def serve_preloaded(*options: str, count: int = 2, **more: object) -> Server:
        return start_workers(APP, count, "--preload", *options, **more)

    return serve_preloaded


def templates(server: Server) -> list[int]:
    """The processes that have imported the application, in their order."""
    return [
        int(pid) for pid in re.findall(rf"{PRELOADING} \[(\d+)\]", server.stderr.text)
    ]


def who(wire: Wire) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(wire.send(get("/who")).response().body)
    return found


def who_are(server: Server, count: int = 2) -> list[dict[str, Any]]:
    """What each worker says of itself."""
    wires = one_connection_to_each(server, count)
    found = [who(wire) for wire in wires.values()]
    for wire in wires.values():
        wire.close()
    return found


def test_the_application_is_imported_once(serve: Start, placement: Placement) -> None:
    server = serve(*placement.options)
    (template,) = templates(server)
    one, other = who_are(server)
    for worker in (one, other):
        assert worker["imported_by"] == template
        assert worker["parent"] == template
        assert worker["pid"] not in (template, server.pid)
        assert worker["frozen"] > 1000
        assert worker["thresholds"][0] > 0
        assert worker["child_signals_are_default"]
        assert "uvloop" in placement.options or worker["loop"].startswith("asyncio")
    assert one["id"] == other["id"], "it is the same object"
    assert one["random"] != other["random"]
    assert server.report_count("import") == 1
    assert server.stop() == 0
    assert server.stdout.text.count("imported by") == 1
    assert server.stdout.text.count("written once") == 1


def test_memory_is_shared(serve: Start) -> None:
    server = serve(count=3)
    for worker in who_are(server, 3):
        memory = memory_mib(worker["pid"])
        assert memory["Rss"] > 64
        # The object of 64 MiB is in nobody's memory alone.
        assert memory["Pss"] < memory["Rss"] - 40
        assert memory["Private_Dirty"] < 40
    assert server.stop() == 0


def test_the_parent_has_no_interpreter_of_its_own_to_import_with(serve: Start) -> None:
    server = serve()
    assert memory_mib(server.pid)["Rss"] < 64
    assert server.report_count("import") == 1
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_at_the_end(serve: Start, number: signal.Signals) -> None:
    server = serve()
    (template,) = templates(server)
    pids = {worker["pid"] for worker in who_are(server)}
    assert server.stop(number) == 0
    assert not [pid for pid in (template, *pids) if alive(pid)]
    assert "died" not in server.stderr.text
    server.stderr.wait_for_end()


def test_programs_that_workers_start_can_be_waited_for(
    serve: Start, placement: Placement
) -> None:
    server = serve(*placement.options)
    assert ask(server, "/subprocess") == "0"
    assert server.stop() == 0


def test_threads_that_the_import_has_started_are_warned_of(serve: Start) -> None:
    server = serve(env={"MODE": "thread"})
    assert server.stderr.text.count("while it was imported, which no worker has") == 1
    assert ": eager-thread. Start them" in server.stderr.text
    for worker in who_are(server):
        assert "eager-thread" not in worker["threads"]
    assert server.stop() == 0


def test_the_collector_stays_as_the_application_has_set_it(serve: Start) -> None:
    server = serve(env={"MODE": "collector"})
    for worker in who_are(server):
        assert worker["thresholds"][0] == 12_345
    assert server.stop() == 0


def test_sessions_are_resumed_by_all(serve: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost", "127.0.0.1")
    server = serve(*issued.options)
    context = authority.context()
    with server.connect_tls(context) as wire:
        issuer = int(wire.send(get("/pid")).response().body)
        session = wire.tls.session
    deadline = Deadline()
    while True:
        assert deadline.left()
        with server.connect_tls(context, session=session) as wire:
            pid = int(wire.send(get("/pid")).response().body)
            assert wire.tls.session_reused
            if pid != issuer:
                break
    assert server.stop() == 0


# --- What dies ------------------------------------------------------------------------------------


def test_killed_worker_is_forked_again(serve: Start) -> None:
    server = serve()
    victim, survivor = sorted(worker["pid"] for worker in who_are(server))
    kill(victim)
    server.stderr.wait_for(
        rf"^ERROR:    Child process \[{victim}\] died \(killed by SIGKILL\)\.$"
    )
    wait_for_workers(server, 3)
    pids = {worker["pid"] for worker in who_are(server)}
    assert survivor in pids and victim not in pids
    assert server.report_count("import") == 1
    assert server.stop() == 0


def test_workers_outlive_the_template(serve: Start) -> None:
    server = serve()
    (template,) = templates(server)
    old = {worker["pid"] for worker in who_are(server)}
    with Load(server) as load:
        kill(template)
        server.stderr.wait_for(
            rf"process \[{template}\] that has preloaded the application died \(killed by SIGKILL\)"
        )
        wait_for_lines(server, PRELOADING, 2)
        load.wait_for_answers()
    assert {worker["pid"] for worker in who_are(server)} == old
    kill(min(old))
    server.stderr.wait_for(rf"Child process \[{min(old)}\] died")
    wait_for_workers(server, 3)
    new = {worker["imported_by"] for worker in who_are(server)}
    assert new == set(templates(server))
    assert server.stop() == 0
    assert not [pid for pid in old if alive(pid)]


def test_killed_parent_leaves_nobody_behind(serve: Start) -> None:
    server = serve()
    pids = [worker["pid"] for worker in who_are(server)]
    server.process.kill()
    for pid in (*templates(server), *pids):
        wait_for_end_of(pid)
    server.stderr.wait_for_end()


@pytest.mark.parametrize(
    ("app", "code", "shown"),
    [
        ("apps.nowhere:app", 3, "Could not import module"),
        ("apps.broken.raises:app", 1, "Traceback"),
    ],
)
def test_failing_import_ends_the_parent_with_its_code(
    launch: Start, app: str, code: int, shown: str
) -> None:
    server = launch(app, "--port", "0", "--workers", "3", "--preload")
    assert server.wait() == code
    said = server.stderr.text
    assert said.count(shown) == 1
    assert "failed to start, stopping the parent process." in said
    assert "Started server process" not in said


def test_failing_start_up_ends_the_parent_with_its_code(launch: Start) -> None:
    server = launch(
        *("apps.life:app", "--port", "0", "--workers", "3", "--preload"),
        env={"MODE": "raises-in-startup"},
    )
    assert server.wait() == 3
    assert server.stderr.text.count("RuntimeError: a bug in start-up") == 1


def test_signal_while_the_application_is_imported(launch: Start) -> None:
    server = launch(
        *("apps.workers_slow:app", "--port", "0", "--workers", "2", "--preload")
    )
    server.stderr.wait_for(PRELOADING)
    (template,) = templates(server)
    assert server.stop(signal.SIGTERM) == 0
    assert not alive(template)


# --- What is replaced -----------------------------------------------------------------------------


def test_restart_imports_new_code_and_loses_no_request(
    serve: Start, tmp_path: Path
) -> None:
    code = tmp_path / "code.py"
    code.write_text("VERSION = 1")
    server = serve(env={"CODE": str(code)})
    old = {worker["pid"] for worker in who_are(server)}
    with Load(server) as load:
        code.write_text("VERSION = 2")
        server.signal(signal.SIGHUP)
        for pid in old:
            wait_for_end_of(pid)
        load.wait_for_pids(2, without=old)
    first, second = templates(server)
    wait_for_end_of(first)
    for worker in who_are(server):
        assert worker["code"] == "VERSION = 2"
        assert worker["imported_by"] == second
    assert server.report_count("import") == 2
    assert server.stop() == 0
    assert "died" not in server.stderr.text


def test_restart_into_broken_code_changes_nothing(serve: Start, tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("")
    server = serve(env={"CODE": str(code)})
    old = {worker["pid"] for worker in who_are(server)}
    with Load(server):
        for count in (1, 2):
            code.write_text("raise RuntimeError('broken on purpose')")
            server.signal(signal.SIGHUP)
            wait_for_lines(
                server,
                "(exit code 1); keeping the workers and aborting the restart.",
                count,
            )
    assert server.stderr.text.count("RuntimeError: broken on purpose") == 2
    assert {worker["pid"] for worker in who_are(server)} == old
    code.write_text("")
    server.signal(signal.SIGHUP)
    for pid in old:
        wait_for_end_of(pid)
    assert server.stop() == 0


def test_request_limit_replaces_workers_without_another_import(serve: Start) -> None:
    server = serve("--limit-max-requests", "20", "--no-access-log")
    with Load(server) as load:
        load.wait_for_pids(5)
    assert server.report_count("import") == 1
    assert server.stop() == 0


def test_more_and_fewer(serve: Start) -> None:
    server = serve()
    server.signal(signal.SIGTTIN)
    wait_for_workers(server, 3)
    pids = {worker["pid"] for worker in who_are(server, 3)}
    server.signal(signal.SIGTTOU)
    server.stderr.wait_for("Terminated child process")
    deadline = Deadline()
    while sum(map(alive, pids)) > 2:
        assert deadline.left()
        time.sleep(0.01)
    assert server.stop() == 0


def test_new_program_imports_for_itself(serve: Start) -> None:
    server = serve()
    (first,) = templates(server)
    old = {worker["pid"] for worker in who_are(server)}
    with Load(server) as load:
        server.signal(signal.SIGUSR2)
        new = load.wait_for_pids(2, without=old)
        assert server.process.wait(40) == 0
        load.wait_for_answers()
    assert not alive(first)
    (_, second) = templates(server)
    assert {worker["imported_by"] for worker in who_are(server)} == {second}
    successor = int(Path(f"/proc/{second}/stat").read_text().split()[3])
    os.kill(successor, signal.SIGTERM)
    for pid in (successor, second, *new):
        wait_for_end_of(pid)


# --- What it cannot be combined with --------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Option '--preload' needs more than one worker (--workers)."),
        (
            ("--workers", "1"),
            "Option '--preload' needs more than one worker (--workers).",
        ),
        (("--reload",), "Option '--preload' cannot be combined with '--reload'."),
    ],
)
def test_usage_errors(launch: Start, options: tuple[str, ...], said: str) -> None:
    server = launch(APP, "--port", "0", "--preload", *options)
    assert server.wait() == 2
    assert said in server.stderr.text
