"""`smolcorn.testing` and the pytest plugin."""

import os
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from harness.deadline import DEADLINE_SECONDS
from harness.wheel import needs_the_wheel

needs_the_wheel()

from harness.tool import Tool  # noqa: E402
from smolcorn import errors, testing  # noqa: E402


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["root_path"].encode()})


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"%d" % environ["wsgi.multithread"]]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
        body: bytes = answer.read()
        return body


@pytest.mark.parametrize("threads", [1, 2])
def test_it_serves_wsgi(threads: int) -> None:
    with testing.serve(wsgi, wsgi_threads=threads) as served:
        for _ in range(3):
            assert get(served.url) == b"%d" % (threads > 1)
    assert served.error is None


def test_it_serves_inside_the_block() -> None:
    with testing.serve(app, root_path="/root") as served:
        assert served.url == f"http://127.0.0.1:{served.port}"
        assert get(served.url) == b"/root"
        with testing.serve(app) as other:
            assert get(other.url) == b""
    assert served.error is None
    with pytest.raises(OSError):
        get(f"http://127.0.0.1:{other.server.config.port or 1}/")
    served.stop()


def test_what_cannot_start_is_raised() -> None:
    with pytest.raises(errors.AppError):
        with testing.serve("no_such:app"):
            pytest.fail("it has started")


def test_why_the_application_does_not_start_is_raised() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise LookupError("no database")

    with pytest.raises(errors.LifespanError) as caught:
        with testing.serve(broken):
            pytest.fail("it has started")
    assert repr(caught.value.__cause__) == "LookupError('no database')"


def test_the_settings_around_it_do_not_move_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UVICORN_PORT", "1")
    monkeypatch.setenv("SMOLCORN_BINDS", "127.0.0.1:2")
    monkeypatch.setenv("UVICORN_UDS", str(tmp_path / "app.sock"))
    with testing.serve(app) as served:
        assert get(served.url) == b""


def test_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import urllib.request\n"
        "from test_app import app\n"
        "def test_it(smolcorn_server):\n"
        "    first = smolcorn_server(app, root_path='/a')\n"
        "    second = smolcorn_server('test_app:app')\n"
        "    assert urllib.request.urlopen(first.url).read() == b'/a'\n"
        "    assert urllib.request.urlopen(second.url).read() == b''\n"
    )
    (tmp_path / "test_app.py").write_text(
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    body = scope['root_path'].encode()\n"
        "    start = {'type': 'http.response.start', 'status': 200, 'headers': []}\n"
        "    await send(start)\n"
        "    await send({'type': 'http.response.body', 'body': body})\n"
    )
    plugin = () if is_installed() else ("-p", "smolcorn.pytest_plugin")
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin)
    with Tool(tmp_path, *arguments, "test_it.py") as tool:
        status = tool.wait()
        tool.stdout.wait_for_end()
    assert status == 0, tool.stdout.text
    assert "1 passed" in tool.stdout.text


def is_installed() -> bool:
    """Whether pytest finds the plugin by itself."""
    import importlib.metadata

    found = importlib.metadata.entry_points(group="pytest11", name="smolcorn")
    assert os.environ.get("SMOLCORN_BIN") or found
    return bool(found)
