"""`smolcorn.run` and `smolcorn.main` in programs of their own."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from harness.deadline import DEADLINE_SECONDS, Deadline
from harness.server import environment, is_binary

pytest.importorskip("smolcorn._core", reason="the package is not installed")
if is_binary():
    pytest.skip("the package is tested with the wheel", allow_module_level=True)

import smolcorn  # noqa: E402
from harness.tool import Tool  # noqa: E402
from harness.workers import alive  # noqa: E402

NEEDS_NAME = (
    "WARNING:  You must pass the application as an import string to enable 'reload' or "
    "'workers'."
)


def run(tmp_path: Path, source: str, **variables: str) -> Any:
    """Runs a program that has `app`, and returns what became of it."""
    (tmp_path / "program.py").write_text(
        "import smolcorn\n"
        "async def app(scope, receive, send):\n"
        "    import os, signal\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.startup.complete'})\n"
        "    if os.environ.get('STOP'):\n"
        "        os.kill(os.getpid(), getattr(signal, os.environ['STOP']))\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.shutdown.complete'})\n"
        f"if __name__ == '__main__':\n    {source}\n    print('returned')\n"
    )
    search = [str(Path(smolcorn.__file__).parents[1]), str(tmp_path)]
    return subprocess.run(
        [sys.executable, "program.py"],
        env=environment({"PYTHONPATH": os.pathsep.join(search), **variables}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


def test_run_returns_after_an_interrupt(tmp_path: Path) -> None:
    done = run(tmp_path, "smolcorn.run(app, port=0)", STOP="SIGINT")
    assert (done.returncode, done.stdout) == (0, "returned\n"), done.stderr
    assert "Application shutdown complete." in done.stderr


def test_run_dies_of_sigterm(tmp_path: Path) -> None:
    done = run(tmp_path, "smolcorn.run('program:app', port=0)", STOP="SIGTERM")
    assert (done.returncode, done.stdout) == (-15, ""), done.stderr
    assert "Application shutdown complete." in done.stderr


@pytest.mark.parametrize(
    ("call", "status", "line"),
    [
        (
            "'nope:app', port=0",
            3,
            'ERROR:    Error loading ASGI app. Could not import module "nope".',
        ),
        (
            "app, port=-1",
            2,
            "ERROR:    Invalid value for '--port': -1 is not in the range 0<=x<=65535.",
        ),
        ("app, port=0, reload=True", 3, NEEDS_NAME),
        ("app, port=0, workers=2", 3, NEEDS_NAME),
    ],
)
def test_run_turns_errors_into_exit_codes(
    tmp_path: Path, call: str, status: int, line: str
) -> None:
    done = run(tmp_path, f"smolcorn.run({call})")
    assert (done.returncode, done.stdout) == (status, "")
    [found] = done.stderr.splitlines()
    assert found.startswith(line)


def test_main_is_the_command_line(tmp_path: Path) -> None:
    done = run(tmp_path, "smolcorn.main(['--version'])")
    assert done.returncode == 0
    assert done.stdout.startswith("Running smolcorn ")


# Several processes, and one that is started anew.

PROGRAM = """\
import asyncio, os, pathlib, sys
import smolcorn
{prelude}
VERSION = "one"


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({{"type": kind + ".complete"}})
            if kind == "lifespan.shutdown":
                return
    if scope["path"].endswith("/slow"):
        pathlib.Path("begun").touch()
        while not pathlib.Path("go").exists():
            await asyncio.sleep(0.01)
    body = {{"/pid": str(os.getpid()), "/path": scope["path"]}}.get(scope["path"], VERSION)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": body.encode()}})


if __name__ == "__main__":
    smolcorn.run("program:app", port=0, {options})
    print("returned")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "program.py"


def write(program: Path, options: str, prelude: str = "") -> None:
    program.write_text(PROGRAM.format(options=options, prelude=prelude))


def ask(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=DEADLINE_SECONDS)


def answer(url: str) -> str:
    with ask(url) as response:
        body: bytes = response.read()
        return body.decode()


def two_workers(url: str) -> set[int]:
    """Asks until two processes have answered."""
    found: set[int] = set()
    deadline = Deadline()
    while len(found) < 2:
        assert deadline.left(), found
        found.add(int(answer(f"{url}/pid")))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_serve_until_a_signal_and_run_returns(
    program: Path, number: signal.Signals
) -> None:
    write(program, "workers=2")
    with Tool(program.parent, "program.py") as tool:
        found = two_workers(tool.url())
        assert tool.process.pid not in found
        assert tool.stop(number) == 0
        assert not any(alive(pid) for pid in found)
    assert tool.stdout.lines[-1] == "returned"
    said = tool.stderr.text
    assert f"INFO:     Received {number.name}, exiting." in said.splitlines()
    assert said.count("Application shutdown complete.") == 2


def test_what_workers_have_begun_is_answered(program: Path) -> None:
    write(program, "workers=2")
    with Tool(program.parent, "program.py") as tool:
        url = tool.url()
        tool.stderr.wait_for("(?s)startup complete.*startup complete")
        with socket.create_connection(("127.0.0.1", int(url.split(":")[2]))) as client:
            client.settimeout(DEADLINE_SECONDS)
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            deadline = Deadline()
            while not (program.parent / "begun").exists():
                assert deadline.left()
            tool.process.send_signal(signal.SIGTERM)
            # Both of them, for one of them has the request.
            tool.stderr.wait_for("(?s)Shutting down.*Shutting down")
            (program.parent / "go").touch()
            said = b""
            while piece := client.recv(65536):
                said += piece
        assert (
            said.startswith(b"HTTP/1.1 200 ") and b"\r\nconnection: close\r\n" in said
        )
        assert tool.wait() == 0


def test_workers_that_cannot_start(program: Path) -> None:
    write(program, "workers=2", "if __name__ == 'program': raise LookupError('mine')")
    with Tool(program.parent, "program.py") as tool:
        assert tool.wait() == 1
    assert tool.stdout.text == ""
    assert "LookupError: mine" in tool.stderr.text
    assert "failed to start, stopping the parent process." in tool.stderr.text


def test_workers_go_by_what_the_program_says(program: Path) -> None:
    config = (
        "{'version': 1, 'formatters': {'f': {'format': 'MINE %(message)s'}}, 'handlers': "
        "{'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}}, 'loggers': "
        "{'uvicorn': {'handlers': ['h'], 'level': 'INFO'}}}"
    )
    headers = "headers=[('x-from', 'program')]"
    write(program, f"workers=2, root_path='/api', {headers}, log_config={config}")
    with Tool(program.parent, "program.py") as tool:
        with ask(f"{tool.url()}/path") as response:
            assert response.headers["x-from"] == "program"
        # One line of each worker.
        started = "MINE Application startup complete."
        tool.stderr.wait_for(f"(?s){started}.*{started}")
        assert tool.stop() == 0


def test_the_default_of_logging_changed_in_place_reaches_workers(program: Path) -> None:
    write(
        program,
        "workers=2",
        "from smolcorn.config import LOGGING_CONFIG\n"
        "if __name__ == '__main__':\n"
        "    LOGGING_CONFIG['formatters']['default']['fmt'] = 'MINE %(message)s'\n",
    )
    with Tool(program.parent, "program.py") as tool:
        tool.stderr.wait_for("MINE Application startup complete.")
        assert tool.stop() == 0


def test_workers_find_and_do_what_the_program_does(tmp_path: Path) -> None:
    """Its path, its arguments, and what its main module does to other modules."""
    for name in ("scripts", "library", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "library" / "served.py").write_text(
        "import sys\nroutes = []\n"
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    body = repr((routes, sys.argv[1:])).encode()\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': body})\n"
    )
    (tmp_path / "scripts" / "program.py").write_text(
        "import os, sys\n"
        "sys.path.append(os.path.join(os.path.dirname(__file__), '..', 'library'))\n"
        "import smolcorn, served\n"
        "served.routes.append(__name__)\n"
        "if __name__ == '__main__':\n"
        "    smolcorn.run('served:app', port=0, workers=2)\n"
    )
    script = tmp_path / "scripts" / "program.py"
    with Tool(tmp_path / "elsewhere", str(script), "--mine") as tool:
        assert answer(tool.url()) == "(['__mp_main__'], ['--mine'])"
        assert tool.stop() == 0


def test_a_program_that_runs_when_it_is_imported(program: Path) -> None:
    """It would start servers for ever."""
    program.write_text("import smolcorn\nsmolcorn.run('program:app', workers=2)\n")
    with Tool(program.parent, "program.py") as tool:
        assert tool.wait() == 1
    assert "RuntimeError: run() is called by a module that a worker" in tool.stderr.text
    assert tool.stderr.text.count("Started parent process") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_reload_serves_what_was_saved_last(
    program: Path, number: signal.Signals
) -> None:
    write(program, "reload=True")
    with Tool(program.parent, "program.py") as tool:
        url = tool.url()
        assert answer(url) == "one"
        first = int(answer(f"{url}/pid"))
        program.write_text(program.read_text().replace('"one"', '"two"'))
        tool.stderr.wait_for(
            r"(?s)detected changes in 'program\.py'\. Reloading.*startup complete\."
        )
        assert answer(url) == "two"
        assert int(answer(f"{url}/pid")) not in (first, tool.process.pid)
        assert tool.stop(number) == 0
    assert tool.stdout.lines[-1] == "returned"


def test_reload_of_a_program_that_is_broken_for_a_while(program: Path) -> None:
    write(program, "reload=True")
    with Tool(program.parent, "program.py") as tool:
        url = tool.url()
        assert answer(url) == "one"
        source = program.read_text()
        program.write_text("no python\n" + source)
        tool.stderr.wait_for("SyntaxError: invalid syntax")
        program.write_text(source.replace('"one"', '"two"'))
        tool.stderr.wait_for(r"(?s)SyntaxError.*Application startup complete\.")
        assert answer(url) == "two"
        assert tool.stop() == 0


def test_options_of_reload_without_it(program: Path) -> None:
    write(program, "reload_dirs=['.']")
    with Tool(program.parent, "program.py") as tool:
        assert answer(tool.url()) == "one"
        assert tool.stop() == 0
    first = tool.stderr.text.splitlines()[0]
    assert first.startswith("WARNING:  Nothing will reload: ")
