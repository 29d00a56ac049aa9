"""Tools of others, run with smolcorn in the place of the server that they import."""

import signal
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from harness.deadline import DEADLINE_SECONDS
from harness.wheel import needs_the_wheel

needs_the_wheel()

from harness.tool import SERVED, Tool, get, python  # noqa: E402


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def test_fastapi_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        "main.py",
        "from fastapi import FastAPI\napp = FastAPI()\n"
        "@app.get('/')\ndef index(): return 'served'\n",
    )
    with Tool(tmp_path, *SERVED, "fastapi", "run", "main.py", "--port", "0") as tool:
        assert get(tool.url()) == ("smolcorn", b'"served"')
        assert tool.stop() == 0
        assert "Application shutdown complete." in tool.stderr.text


def test_litestar_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        "main.py",
        "from litestar import Litestar, get\n"
        "@get('/')\nasync def index() -> str: return 'served'\n"
        "app = Litestar([index])\n",
    )
    arguments = ("litestar", "--app", "main:app", "run", "--port", "0")
    with Tool(tmp_path, *SERVED, *arguments) as tool:
        assert get(tool.url()) == ("smolcorn", b"served")
        assert tool.stop() == 0


def test_mcp(tmp_path: Path) -> None:
    write(
        tmp_path,
        "main.py",
        "from mcp.server.mcpserver import MCPServer\n"
        "server = MCPServer('demo')\n"
        "@server.tool()\ndef add(a: int, b: int) -> int: return a + b\n"
        "server.run(transport='streamable-http', port=0)\n",
    )
    write(
        tmp_path,
        "client.py",
        "import asyncio, sys\nfrom mcp import Client\n"
        "async def main():\n"
        "    async with Client(sys.argv[1]) as client:\n"
        "        result = await client.call_tool('add', {'a': 1, 'b': 2})\n"
        "        print(result.content[0].text)\n"
        "asyncio.run(main())\n",
    )
    with Tool(tmp_path, *SERVED, "main.py") as tool:
        assert python(tmp_path, "client.py", f"{tool.url()}/mcp") == ["3"]
        tool.stop(signal.SIGTERM)


def test_sse_starlette_learns_of_the_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        "main.py",
        "import asyncio\n"
        "from smolcorn import compat\ncompat.install()\n"
        "from sse_starlette import EventSourceResponse\n"
        "from starlette.applications import Starlette\n"
        "from starlette.routing import Route\n"
        "async def events():\n"
        "    yield {'data': 'one'}\n"
        "    await asyncio.Event().wait()\n"
        "async def index(request): return EventSourceResponse(events())\n"
        "app = Starlette(routes=[Route('/', index)])\n"
        "import uvicorn\n"
        "uvicorn.run(app, port=0, timeout_graceful_shutdown=3600)\n",
    )
    with Tool(tmp_path, "main.py") as tool:
        with urllib.request.urlopen(tool.url(), timeout=DEADLINE_SECONDS) as stream:
            assert stream.readline() == b"data: one\r\n"
            tool.process.send_signal(signal.SIGINT)
            assert tool.wait() == 0


def test_fastapi_dev_serves_what_was_saved_last(tmp_path: Path) -> None:
    source = (
        "from fastapi import FastAPI\napp = FastAPI()\n"
        "@app.get('/')\ndef index(): return 'VERSION'\n"
    )
    write(tmp_path, "main.py", source.replace("VERSION", "one"))
    with Tool(tmp_path, *SERVED, "fastapi", "dev", "main.py", "--port", "0") as tool:
        url = tool.url()
        assert get(url) == ("smolcorn", b'"one"')
        write(tmp_path, "main.py", source.replace("VERSION", "two"))
        tool.stderr.wait_for(r"(?s)Reloading\.\.\..*Application startup complete\.")
        assert get(url) == ("smolcorn", b'"two"')
        assert tool.stop() == 0


LITESTAR = (
    "import os\nfrom litestar import Litestar, get\n"
    "@get('/')\nasync def index() -> str: return str(os.getppid())\n"
    "app = Litestar([index])\n"
)


def test_litestar_runs_several_processes(tmp_path: Path) -> None:
    """It starts `python -m uvicorn` for that."""
    write(tmp_path, "main.py", LITESTAR)
    options = ("--port", "0", "--web-concurrency", "2")
    with Tool(
        tmp_path, *SERVED, "litestar", "--app", "main:app", "run", *options
    ) as tool:
        found = tool.stderr.wait_for(r"Started parent process \[(?P<pid>\d+)\]")
        assert int(found["pid"]) != tool.process.pid
        assert get(tool.url()) == ("smolcorn", found["pid"].encode())
        tool.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_quart_run(tmp_path: Path) -> None:
    """Its own command serves by Hypercorn's `serve()`."""
    write(
        tmp_path,
        "main.py",
        "from quart import Quart, websocket\napp = Quart(__name__)\n"
        "@app.route('/')\nasync def index(): return 'served'\n",
    )
    # With 0 it takes no free one, but its default.
    command = ("quart", "--app", "main:app", "run", "--port", str(free_port()))
    with Tool(tmp_path, *SERVED, *command) as tool:
        assert get(tool.url()) == ("smolcorn", b"served")
        # Newer ones say that it was an interrupt.
        assert tool.stop() in (0, 3)
    assert "Application shutdown complete." in tool.stderr.text


def test_a_tool_that_prepares_its_application_in_the_program(tmp_path: Path) -> None:
    """As NiceGUI does: the application is the tool's, and what it serves the program's."""
    write(
        tmp_path,
        "tool.py",
        "import multiprocessing, socket\nimport uvicorn\n"
        "from uvicorn.supervisors import ChangeReload\n"
        "pages = []\n"
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': repr(pages).encode()})\n"
        "def run():\n"
        "    if multiprocessing.current_process().name != 'MainProcess':\n"
        "        return\n"
        "    config = uvicorn.Config('tool:app', port=0, reload=True)\n"
        "    config.reload_excludes.append('*.tmp')\n"
        "    server = uvicorn.Server(config)\n"
        "    bound = config.bind_socket()\n"
        "    ChangeReload(config, target=server.run, sockets=[bound]).run()\n",
    )
    source = (
        "import tool\ntool.pages.append('VERSION')\n"
        "if __name__ in {'__main__', '__mp_main__'}:\n    tool.run()\n"
    )
    write(tmp_path, "program.py", source.replace("VERSION", "one"))
    with Tool(tmp_path, *SERVED, "program.py") as tool:
        url = tool.url()
        assert get(url) == ("smolcorn", b"['one']")
        write(tmp_path, "program.py", source.replace("VERSION", "two"))
        tool.stderr.wait_for(r"(?s)Reloading\.\.\..*Application startup complete\.")
        assert get(url) == ("smolcorn", b"['two']")
        assert tool.stop() == 0


def test_a_program_with_a_supervisor(tmp_path: Path) -> None:
    write(
        tmp_path,
        "program.py",
        "import os, uvicorn\nfrom uvicorn.supervisors import Multiprocess\n"
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    body = str(os.getppid()).encode()\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': body})\n"
        "if __name__ == '__main__':\n"
        "    config = uvicorn.Config('program:app', port=0, workers=2)\n"
        "    Multiprocess(config, sockets=[config.bind_socket()]).run()\n"
        "    print('returned')\n",
    )
    with Tool(tmp_path, *SERVED, "program.py") as tool:
        pid = str(tool.process.pid).encode()
        assert get(tool.url()) == ("smolcorn", pid)
        assert tool.stop(signal.SIGTERM) == 0
    assert tool.stdout.lines[-1] == "returned"


if sys.platform != "win32":
    GUNICORN = (
        *("-m", "gunicorn", "--no-control-socket", "-b", "127.0.0.1:0"),
        *("-k", "smolcorn.workers.SmolcornWorker", "--access-logfile", "-"),
    )

    APP = (
        "import os\n"
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n"
        "        await receive()\n"
        "        await send({'type': 'lifespan.startup.complete'})\n"
        "        await receive()\n"
        "        await send({'type': 'lifespan.shutdown.complete'})\n"
        "        return\n"
        "    body = str(os.getpid()).encode()\n"
        "    await send({'type': 'http.response.start', 'status': 200,\n"
        "                'headers': [(b'connection', b'close')]})\n"
        "    await send({'type': 'http.response.body', 'body': body})\n"
    )

    @pytest.fixture
    def gunicorn_app(tmp_path: Path) -> Path:
        pytest.importorskip("gunicorn")
        write(tmp_path, "main.py", APP)
        return tmp_path

    def gunicorn_url(tool: Tool) -> str:
        found = tool.stderr.wait_for(r"Listening at: (?P<url>http://[0-9.:]+)")
        return str(found["url"])

    def test_gunicorn_serves_and_stops(gunicorn_app: Path) -> None:
        with Tool(gunicorn_app, *GUNICORN, "-w", "2", "main:app") as tool:
            name, body = get(gunicorn_url(tool))
            assert name == "smolcorn" and int(body) != tool.process.pid
            tool.stdout.wait_for(r'"GET / HTTP/1.1" 200')
            started = r"Application startup complete\."
            tool.stderr.wait_for(rf"(?s){started}.*{started}")
            assert tool.stop(signal.SIGTERM) == 0
        said = tool.stderr.text
        assert said.count("Application shutdown complete.") >= 1
        assert "was sent SIGTERM" not in said and "Traceback" not in said

    def test_gunicorn_stops_a_worker_that_has_not_begun(gunicorn_app: Path) -> None:
        write(
            gunicorn_app,
            "early.py",
            "import os, signal\nfrom main import app\n"
            "if not os.path.exists('killed'):\n"
            "    open('killed', 'w').write(str(os.getpid()))\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n",
        )
        with Tool(gunicorn_app, *GUNICORN, "-w", "1", "early:app") as tool:
            pid = get(gunicorn_url(tool))[1].decode()
            assert pid != (gunicorn_app / "killed").read_text()
            assert tool.stop(signal.SIGTERM) == 0

    def test_gunicorn_replaces_a_worker_after_max_requests(gunicorn_app: Path) -> None:
        options = ("-w", "1", "--max-requests", "2")
        with Tool(gunicorn_app, *GUNICORN, *options, "main:app") as tool:
            url = gunicorn_url(tool)
            # It may answer what comes until it has heard of its own end.
            pids = [get(url)[1] for _ in range(12)]
            assert pids[0] == pids[1] and len({*pids}) >= 3, pids
            assert tool.stop(signal.SIGTERM) == 0

    def test_gunicorn_hears_of_a_worker_that_cannot_start(gunicorn_app: Path) -> None:
        write(
            gunicorn_app,
            "broken.py",
            "async def app(scope, receive, send):\n"
            "    await receive()\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'no'})\n",
        )
        with Tool(gunicorn_app, *GUNICORN, "broken:app") as tool:
            assert tool.wait() == 3
        assert "Application startup failed. Exiting." in tool.stderr.text

    def test_gunicorn_reloads(gunicorn_app: Path) -> None:
        with Tool(gunicorn_app, *GUNICORN, "-w", "1", "main:app") as tool:
            url = gunicorn_url(tool)
            first = get(url)[1]
            tool.process.send_signal(signal.SIGHUP)
            tool.stderr.wait_for(rf"Finished server process \[{int(first)}\]")
            assert get(url)[1] != first
            assert tool.stop(signal.SIGTERM) == 0
