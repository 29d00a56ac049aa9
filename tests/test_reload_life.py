"""`--reload`: what clients notice of it, and how it ends."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from conftest import Placement, Start
from harness.certificates import Authority
from harness.deadline import Deadline
from harness.project import (
    Project,
    answer,
    get,
    source,
    wait_until_detected,
    wait_until_ready,
    wait_until_started,
)
from harness.server import Server
from harness.wire import Wire

WAITS_FOR_GO = """
report("importing")
while not pathlib.Path("go").exists():
    time.sleep(0.005)
"""


def ask(server: Server, path: str = "/") -> Wire:
    return server.connect().send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


# --- Requests meanwhile ---------------------------------------------------------------------------


def test_requests_wait_for_the_new_code(
    serve_project: Start, project: Project, placement: Placement
) -> None:
    server = serve_project(*placement.options)
    wait_until_ready(server, 1)
    project.save("two", WAITS_FOR_GO)
    assert server.reported("event") == "importing"
    wires = [ask(server) for _ in range(20)]
    project.write("go")
    for wire in wires:
        assert wire.response().body == b"two"
        wire.close()


def test_requests_wait_for_the_first_worker(
    serve_project: Start, project: Project
) -> None:
    project.save("one", WAITS_FOR_GO)
    server = serve_project()
    wires = [ask(server) for _ in range(5)]
    assert server.reported("event") == "importing"
    project.write("go")
    for wire in wires:
        assert wire.response().body == b"one"
        wire.close()


@pytest.mark.parametrize("clients", [1, 4])
def test_not_one_request_fails(
    serve_project: Start, project: Project, clients: int
) -> None:
    server = serve_project()
    wait_until_ready(server, 1)
    over = threading.Event()
    failures: list[BaseException] = []
    answers: set[str] = set()

    def load() -> None:
        try:
            while not over.is_set():
                answers.add(answer(server))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=load) for _ in range(clients)]
    for thread in threads:
        thread.start()
    versions = ["two", "three", "four", "five"]
    for number, version in enumerate(versions, start=2):
        project.save(version)
        wait_until_ready(server, number)
        deadline = Deadline()
        while version not in answers and not failures:
            assert deadline.left(), f"{version} is never answered"
            time.sleep(0.005)
    over.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert answers - {"one"} == set(versions)


def test_connection_that_is_kept_does_not_hold_the_restart(
    serve_project: Start, project: Project, placement: Placement
) -> None:
    server = serve_project(*placement.options, "--timeout-keep-alive", "3600")
    wait_until_ready(server, 1)
    with server.connect() as never_used, ask(server) as kept:
        assert kept.response().body == b"one"
        project.save("two")
        wait_until_ready(server, 2)
        kept.expect_end()
        never_used.expect_end()
    assert answer(server) == "two"


@pytest.mark.parametrize("path", ["/stream", "/stream-stubborn"])
def test_open_stream_does_not_hold_the_restart(
    serve_project: Start, project: Project, placement: Placement, path: str
) -> None:
    server = serve_project(*placement.options, "--timeout-graceful-shutdown", "3600")
    wait_until_ready(server, 1)
    with ask(server, path) as stream:
        assert server.reported("event") == "streaming"
        project.save("two")
        if path == "/stream":
            assert server.reported("event") == "disconnect"
            assert stream.response().body == b"firstlast"
        else:
            assert stream.rest().endswith(b"first\r\n")
        wait_until_ready(server, 2)
    assert answer(server) == "two"
    # The application got its shutdown.
    assert "Application shutdown complete." in server.stderr.text


def test_websocket_does_not_hold_the_restart(
    serve_project: Start, project: Project, placement: Placement
) -> None:
    server = serve_project(*placement.options, "--timeout-graceful-shutdown", "3600")
    wait_until_ready(server, 1)
    with server.connect() as wire:
        wire.send(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert wire.response().status == 101
        assert server.reported("event") == "accepted"
        project.save("two")
        # A close frame that says 1012, service restart.
        assert wire.rest().startswith(b"\x88\x02\x03\xf4")
        assert server.reported("event") == 1012
        wait_until_ready(server, 2)
    assert answer(server) == "two"


def test_blocked_worker_is_killed(serve_project: Start, project: Project) -> None:
    server = serve_project()
    wait_until_ready(server, 1)
    with ask(server, "/blocked") as wire:
        assert server.reported("event") == "blocked"
        project.save("two")
        server.stderr.wait_for(r"did not end in time and was killed\.$")
        wait_until_ready(server, 2)
        assert wire.rest() == b""
    assert answer(server) == "two"


def test_change_while_the_application_starts(
    serve_project: Start, project: Project
) -> None:
    project.save("one", WAITS_FOR_GO)
    server = serve_project()
    assert server.reported("event") == "importing"
    with ask(server) as wire:
        project.save("two")
        assert wire.response().body == b"two"
    assert len(server.stderr.text.split("Reloading...")) == 2


# --- A broken application -------------------------------------------------------------------------


BROKEN = {
    "syntax": ("def broken(:\n", "SyntaxError"),
    "import": ("import no_such_module_at_all\n", "ModuleNotFoundError"),
    "raises": ("raise RuntimeError('<b> & co')\n", "RuntimeError: <b> & co"),
    "exits": ("raise SystemExit('enough')\n", "SystemExit: enough"),
    "attribute": ("x = 1\n", 'Attribute "app" not found in module "main".'),
    "dies": ("import os; os._exit(7)\n", "(exit code 7)"),
    "killed": ("import os; os.kill(os.getpid(), 9)\n", "(killed by SIGKILL)"),
    "startup": (
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    raise KeyError('no database')\n",
        "KeyError: 'no database'",
    ),
    "startup.failed": (
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no cache'})\n",
        "no cache",
    ),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_application_is_answered_with_the_reason_until_it_is_mended(
    serve_project: Start, project: Project, text: str, said: str
) -> None:
    server = serve_project()
    wait_until_ready(server, 1)
    project.write("main.py", text)
    server.stderr.wait_for(
        r"^ERROR:    The application did not start \(.*\)\. Waiting for a file to change\.$"
    )
    plain = get(server)
    assert plain.status == 503
    assert plain.get(b"content-type") == b"text/plain; charset=utf-8"
    assert plain.get(b"cache-control") == b"no-store"
    assert plain.get(b"connection") == b"close"
    assert said in plain.body.decode()
    html = get(server, headers="Accept: text/html,*/*;q=0.8\r\n")
    assert (html.status, html.get(b"content-type")) == (
        503,
        b"text/html; charset=utf-8",
    )
    escaped = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert escaped.replace('"', "&quot;") in html.body.decode()
    assert said == "SyntaxError" or b"<b>" not in html.body
    project.save("two")
    wait_until_ready(server, 2)
    assert answer(server) == "two"


def test_broken_from_the_start(serve_project: Start, project: Project) -> None:
    project.write("main.py", "import no_such_module_at_all\n")
    server = serve_project()
    with ask(server) as waiting:
        response = waiting.response()
        assert response.status == 503
        assert b"No module named 'no_such_module_at_all'" in response.body
    # The traceback is in the log, once.
    server.stderr.wait_for("Waiting for a file to change")
    assert server.stderr.text.count("ModuleNotFoundError") == 1
    project.save("two")
    wait_until_ready(server, 1)
    assert answer(server) == "two"


def test_broken_again_and_again(serve_project: Start, project: Project) -> None:
    server = serve_project()
    wait_until_ready(server, 1)
    for number in range(1, 4):
        project.write("main.py", f"raise RuntimeError('attempt {number}')\n")
        wait_until_detected(server, number)
        server.stderr.wait_for(f"^RuntimeError: attempt {number}$")
        start = server.stderr.text.index(f"attempt {number}")
        server.stderr.wait_for("Waiting for a file to change", start=start)
        assert f"attempt {number}".encode() in get(server).body


def test_not_one_request_is_lost_when_it_is_mended(
    serve_project: Start, project: Project
) -> None:
    project.write("main.py", "1 / 0\n")
    server = serve_project()
    server.stderr.wait_for("Waiting for a file to change")
    project.save("two")
    deadline = Deadline()
    while (response := get(server)).status == 503:
        assert deadline.left(), "it stays broken"
        assert b"ZeroDivisionError" in response.body
    assert response.body == b"two"


def test_worker_that_dies_is_started_again(
    serve_project: Start, project: Project
) -> None:
    server = serve_project()
    first = wait_until_started(server, 1)
    wait_until_ready(server, 1)
    # It must have served for a second to be trusted.
    time.sleep(1.1)
    os.kill(first, signal.SIGKILL)
    server.stderr.wait_for(
        rf"^ERROR:    Child process \[{first}\] died \(killed by SIGKILL\)\. Starting it again\.$"
    )
    assert answer(server) == "one"
    assert answer(server, "/pid") == str(wait_until_started(server, 2))


def test_worker_that_always_dies_is_not_started_again(
    serve_project: Start, project: Project
) -> None:
    text = source("one").replace(
        'if kind == "lifespan.shutdown":', "os._exit(7)\n            if True:"
    )
    project.write("main.py", text)
    server = serve_project()
    server.stderr.wait_for(
        r"^ERROR:    The application (?:died|did not start) \(exit code 7\)\. Waiting for a file"
    )
    assert b"(exit code 7)" in get(server).body


def test_requests_up_to_a_limit(serve_project: Start, project: Project) -> None:
    server = serve_project("--limit-max-requests", "2")
    wait_until_ready(server, 1)
    pids = {answer(server, "/pid") for _ in range(2)}
    wait_until_ready(server, 2)
    wait_until_started(server, 2)
    assert answer(server, "/pid") not in pids


# --- The end --------------------------------------------------------------------------------------


STOP = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@STOP
def test_signal_ends_it_well(
    serve_project: Start, project: Project, placement: Placement, number: signal.Signals
) -> None:
    server = serve_project(*placement.options)
    wait_until_ready(server, 1)
    worker = wait_until_started(server, 1)
    assert answer(server) == "one"
    assert server.stop(number) == 0
    assert server.stderr.lines[-5:] == [
        "INFO:     Shutting down",
        "INFO:     Waiting for application shutdown.",
        "INFO:     Application shutdown complete.",
        f"INFO:     Finished server process [{worker}]",
        f"INFO:     Stopping reloader process [{server.pid}]",
    ]


def test_interrupt_from_a_terminal_is_taken_once(
    serve_project: Start, project: Project
) -> None:
    server = serve_project()
    assert answer(server) == "one"
    os.killpg(server.pid, signal.SIGINT)
    assert server.wait() == 0
    said = server.stderr.text
    assert said.count("Shutting down") == 1
    assert said.count("Stopping reloader process") == 1
    assert "Application shutdown complete." in said
    assert "Traceback" not in said and "KeyboardInterrupt" not in said


@STOP
def test_end_while_the_application_is_broken(
    serve_project: Start, project: Project, number: signal.Signals
) -> None:
    project.write("main.py", "1 / 0\n")
    server = serve_project()
    server.stderr.wait_for("Waiting for a file to change")
    assert server.stop(number) == 0
    assert server.stderr.lines[-1].startswith("INFO:     Stopping reloader process")


@STOP
def test_end_while_the_application_is_imported(
    serve_project: Start, project: Project, number: signal.Signals
) -> None:
    project.save("one", WAITS_FOR_GO)
    server = serve_project()
    assert server.reported("event") == "importing"
    os.killpg(server.pid, number)
    assert server.wait() == 0
    assert "Traceback" not in server.stderr.text


def test_second_interrupt_forces(serve_project: Start, project: Project) -> None:
    server = serve_project("--timeout-graceful-shutdown", "3600")
    wait_until_ready(server, 1)
    with ask(server, "/stream-stubborn"):
        assert server.reported("event") == "streaming"
        server.signal(signal.SIGINT)
        server.stderr.wait_for("Waiting for connections to close")
        assert server.stop(signal.SIGINT) == 0


def test_worker_does_not_outlive_its_parent(
    serve_project: Start, project: Project
) -> None:
    server = serve_project()
    wait_until_ready(server, 1)
    server.process.kill()
    # The pipes are open as long as the worker lives.
    assert server.wait() == -signal.SIGKILL


def test_hangup_restarts(serve_project: Start, project: Project) -> None:
    server = serve_project()
    wait_until_ready(server, 1)
    server.signal(signal.SIGHUP)
    wait_until_ready(server, 2)
    assert answer(server) == "one"


# --- Sockets --------------------------------------------------------------------------------------


def test_address_in_use(launch: Start, project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = launch(*("main:app", "--reload", "--port", port), cwd=project.root)
        assert server.wait() == 3
    lines = server.stderr.lines
    assert lines[0].startswith("INFO:     Will watch for changes in these directories")
    assert lines[1].startswith("ERROR:    ") and "ddress already in use" in lines[1]
    assert len(lines) == 2


def test_tls(serve_project: Start, project: Project, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    project.write("main.py", "1 / 0\n")
    server = serve_project(*authority.issue("localhost").options)
    server.stderr.wait_for("Waiting for a file to change")
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect_tls(authority.context()) as wire:
        response = wire.send(request).response()
        assert response.status == 503
        assert b"ZeroDivisionError" in response.body
    project.save("two")
    wait_until_ready(server, 1)
    with server.connect_tls(authority.context()) as wire:
        assert wire.send(request).response().body == b"two"


def test_unix_socket(launch: Start, project: Project) -> None:
    path = project.root / "app.sock"
    server = launch(
        *("main:app", "--reload", "--uds", "app.sock"), cwd=project.root
    ).wait_until_ready()
    server.address = str(path)
    assert answer(server) == "one"
    project.save("two")
    wait_until_ready(server, 2)
    assert answer(server) == "two"
    assert server.stop() == 0
    assert not path.exists()
