"""smolcorn in the place of uvicorn: its modules, and tools that import them."""

import importlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from harness.deadline import DEADLINE_SECONDS
from harness.wheel import needs_the_wheel

needs_the_wheel()

import smolcorn  # noqa: E402
from harness.tool import SERVED, Tool, python  # noqa: E402
from smolcorn import testing  # noqa: E402

# The modules.

MODULES = {
    "": "run Config Server main __version__",
    "config": "Config LOGGING_CONFIG LOG_LEVELS TRACE_LOG_LEVEL SSL_PROTOCOL_VERSION",
    "main": "run Server Config main LOGGING_CONFIG STARTUP_FAILURE",
    "server": "Server ServerState HANDLED_SIGNALS",
    "logging": "DefaultFormatter AccessFormatter ColourizedFormatter TRACE_LOG_LEVEL",
    "importer": "import_from_string ImportFromStringError",
    "lifespan.on": "LifespanOn",
    "lifespan.off": "LifespanOff",
    "loops.auto": "auto_loop_factory",
    "loops.asyncio": "asyncio_loop_factory",
    "loops.uvloop": "uvloop_loop_factory",
    "middleware.asgi2": "ASGI2Middleware",
    "middleware.message_logger": "MessageLoggerMiddleware",
    "middleware.proxy_headers": "ProxyHeadersMiddleware",
    "middleware.wsgi": "WSGIMiddleware",
    "protocols.utils": "ClientDisconnected get_client_addr get_path_with_query_string",
    "protocols.http.auto": "AutoHTTPProtocol",
    "protocols.http.h11_impl": "H11Protocol",
    "protocols.http.httptools_impl": "HttpToolsProtocol",
    "protocols.websockets.auto": "AutoWebSocketsProtocol",
    "protocols.websockets.websockets_impl": "WebSocketProtocol",
    "protocols.websockets.websockets_sansio_impl": "WebSocketsSansIOProtocol",
    "protocols.websockets.wsproto_impl": "WSProtocol",
    "supervisors": "Multiprocess ChangeReload",
    "supervisors.basereload": "BaseReload",
    "supervisors.multiprocess": "Multiprocess",
    "supervisors.statreload": "StatReload",
    "supervisors.watchfilesreload": "WatchFilesReload",
    "workers": "UvicornWorker UvicornH11Worker",
    "_types": "ASGI3Application ASGIApplication Scope",
}


@pytest.mark.parametrize("name", MODULES)
def test_names_of_a_module(name: str) -> None:
    if name == "workers":
        pytest.importorskip("gunicorn")
    module = importlib.import_module(
        f"smolcorn.compat.uvicorn.{name}" if name else "smolcorn.compat.uvicorn"
    )
    for attribute in MODULES[name].split():
        assert hasattr(module, attribute), attribute


def test_installed_it_is_imported_under_the_other_name(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import uvicorn.config\n"
        "from smolcorn import compat\n"
        "compat.install(); compat.install()\n"
        "import smolcorn, uvicorn, uvicorn.config, uvicorn.main\n"
        "from uvicorn.main import Server, main\n"
        "from uvicorn.protocols.utils import ClientDisconnected\n"
        "from smolcorn.compat.uvicorn import config\n"
        "import importlib.util, sys\n"
        "assert uvicorn.Server is Server is smolcorn.Server\n"
        "assert uvicorn.config is config is sys.modules['uvicorn.config']\n"
        "assert uvicorn.__spec__.name == 'smolcorn.compat.uvicorn'\n"
        "assert importlib.util.find_spec('uvicorn.logging')\n"
        "assert issubclass(ClientDisconnected, OSError) and callable(main)\n"
        "try:\n    import uvicorn.nope\nexcept ModuleNotFoundError: print('ok')\n"
    )
    # The first line finds something else to be replaced.
    package = tmp_path / "uvicorn"
    package.mkdir()
    for name in ("__init__.py", "config.py"):
        (package / name).write_text("")
    assert python(tmp_path, "program.py") == ["ok"]


def test_children_have_it_too(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import subprocess, sys\n"
        "run = [sys.executable, '-m', 'uvicorn', '--version']\n"
        "print(subprocess.run(run, capture_output=True, text=True).stdout)\n"
    )
    said = python(tmp_path, *SERVED, "program.py")
    assert said[0].startswith("Running smolcorn ")
    assert python(tmp_path, *SERVED, "uvicorn", "--version") == said[:1]


def test_a_tool_that_is_not_there(tmp_path: Path) -> None:
    with Tool(tmp_path, *SERVED, "no_such_tool") as tool:
        assert tool.wait() == 2
    assert tool.stderr.text.startswith("Error: There is no tool 'no_such_tool'")
    assert python(tmp_path, *SERVED, "--help")[0].startswith("Usage: ")


def test_engines_can_be_named_and_not_changed() -> None:
    from smolcorn.compat.uvicorn.protocols.http.h11_impl import H11Protocol

    config = smolcorn.Config("m:app", http=H11Protocol, log_config=None)
    assert config.settings().app == "m:app"
    with pytest.raises(TypeError, match="cannot be subclassed"):

        class Mine(H11Protocol):
            pass


# Middleware.


async def answer_scope(scope: Any, receive: Any, send: Any) -> None:
    body = json.dumps([scope["scheme"], scope["client"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        ("*", "1.1.1.1, 2.2.2.2", ["1.1.1.1", 0]),
        (["*"], "[::1]:5", ["::1", 5]),
        ("127.0.0.1", "1.1.1.1, 2.2.2.2:80", ["2.2.2.2", 80]),
        ("127.0.0.0/8, 2.2.2.2", "1.1.1.1, 2.2.2.2", ["1.1.1.1", 0]),
        (["127.0.0.1", "1.1.1.1", "2.2.2.2"], "1.1.1.1, 2.2.2.2", ["1.1.1.1", 0]),
        ("127.0.0.1", "::1", ["::1", 0]),
        ("127.0.0.1", "name", ["name", 0]),
        ("127.0.0.1", "", None),
        ("10.0.0.1", "1.1.1.1", None),
    ],
)
def test_proxy_headers_are_those_of_the_native_ones(
    trusted: Any, forwarded: str, client: Any
) -> None:
    from smolcorn.compat.uvicorn.middleware.proxy_headers import (
        ProxyHeadersMiddleware,
    )

    wrapped = ProxyHeadersMiddleware(answer_scope, trusted_hosts=trusted)
    headers = {"x-forwarded-for": forwarded, "x-forwarded-proto": "https"}
    said = []
    for application, options in (
        (wrapped, {"proxy_headers": False}),
        (answer_scope, {"forwarded_allow_ips": trusted}),
    ):
        with testing.serve(application, lifespan="off", **options) as served:  # type: ignore[arg-type]
            request = urllib.request.Request(served.url, headers=headers)
            with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
                said.append(json.loads(answer.read()))
    for scheme, found in said:
        assert scheme == ("http" if trusted == "10.0.0.1" else "https")
        if client is None:
            assert found[0] == "127.0.0.1" and found[1] > 0
        else:
            assert found == client


def test_wsgi() -> None:
    from smolcorn.compat.uvicorn.middleware.wsgi import WSGIMiddleware

    def application(environ: Any, start_response: Any) -> Any:
        write = start_response("201 Created", [("X-A", environ["HTTP_X_B"])])
        write(environ["PATH_INFO"].encode("latin-1"))
        yield b" " + environ["QUERY_STRING"].encode()
        yield b" %d" % len(environ["wsgi.input"].read())

    size = 3_000_000
    with testing.serve(WSGIMiddleware(application), lifespan="off") as served:
        request = urllib.request.Request(
            f"{served.url}/%C3%A9?q", data=b"x" * size, headers={"x-b": "b"}
        )
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            assert (answer.status, answer.headers["x-a"]) == (201, "b")
            assert answer.read() == b"/\xc3\xa9 q %d" % size
