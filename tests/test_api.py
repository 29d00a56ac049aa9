"""`smolcorn.run`, `Config` and `Server` in programs, on the native core."""

import asyncio
import gc
import logging
import math
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.certificates import Authority
from harness.deadline import DEADLINE_SECONDS
from harness.server import environment, is_binary

pytest.importorskip("smolcorn._core", reason="the package is not installed")
if is_binary():
    pytest.skip("the package is tested with the wheel", allow_module_level=True)

import smolcorn  # noqa: E402
from smolcorn import errors  # noqa: E402
from smolcorn.config import LOGGING_CONFIG  # noqa: E402


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its path, and knows the lifespan protocol."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = scope["path"].encode()
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings of whoever runs the tests, and the loggers as they were."""
    for name in {*os.environ} - {*environment()}:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
    loggers = [logging.getLogger(name) for name in names]
    before = [(log, log.level, log.propagate, log.handlers[:]) for log in loggers]
    yield
    for log, level, propagate, handlers in before:
        log.setLevel(level)
        log.propagate, log.handlers = propagate, handlers
    gc.unfreeze()


def server(application: Any = app, **options: Any) -> smolcorn.Server:
    settings = {"port": 0, "log_config": None, **options}
    return smolcorn.Server(smolcorn.Config(application, **settings))


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
        body: bytes = answer.read()
        return body


async def fetch(url: str) -> bytes:
    return await asyncio.to_thread(get, url)


# Server


def test_inside_the_block_it_serves_and_says_where() -> None:
    async def main() -> None:
        async with server() as one:
            [url] = one.urls
            assert await fetch(f"{url}/path") == b"/path"
            port = one.servers[0].sockets[0].getsockname()[1]
            assert url == f"http://127.0.0.1:{port}"
            assert one.started
            assert one.lifespan is not None and not one.lifespan.should_exit
            assert one.config.ssl is None
        assert (one.urls, one.servers[0].sockets) == ([], ())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    asyncio.run(main())


def test_the_block_does_not_hide_an_error() -> None:
    async def main() -> None:
        async with server():
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(main())


def test_signals_in_the_block_are_the_programs() -> None:
    async def main() -> None:
        before = signal_handler()
        async with server():
            assert signal_handler() is before

    def signal_handler() -> Any:
        import signal

        return signal.getsignal(signal.SIGTERM)

    asyncio.run(main())


def test_serve_in_a_loop_that_runs_with_its_counts() -> None:
    async def main() -> None:
        waits = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await waits.wait()
            await app(scope, receive, send)

        one = server(slow, lifespan="off")
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        state = one.server_state
        assert (state.total_requests, len(state.connections)) == (0, 0)
        assert state.tasks == set()
        answer = asyncio.create_task(fetch(one.urls[0]))
        while not state.tasks:
            await asyncio.sleep(0.01)
        [running] = state.tasks
        assert not running.done() and len(state.connections) == 1
        waits.set()
        assert await answer == b"/"
        assert state.total_requests == 1
        one.should_exit = True
        await task
        assert one.started

    asyncio.run(main())


def test_sockets_that_are_bound_but_do_not_listen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        given = [socket.socket(), socket.socket()]
        for one in given:
            one.bind(("127.0.0.1", 0))
        serving = server(port=None)
        task = asyncio.create_task(serving.serve(sockets=given))
        await serving.wait_started()
        assert len(serving.servers) == 2
        for one in given:
            port = one.getsockname()[1]
            assert await fetch(f"http://127.0.0.1:{port}/") == b"/"
        serving.should_exit = True
        await task
        assert [one.fileno() for one in given] == [-1, -1]

    with caplog.at_level(logging.INFO, "uvicorn.error"):
        asyncio.run(main())
    assert "Application startup complete." in caplog.messages
    assert not any("running on" in message for message in caplog.messages)


def test_a_socket_that_the_configuration_binds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = smolcorn.Config(app, port=0, log_config=None)
    with caplog.at_level(logging.INFO, "uvicorn.error"):
        bound = config.bind_socket()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    assert caplog.messages == [f"Smolcorn running on {url} (Press CTRL+C to quit)"]

    async def main() -> None:
        one = smolcorn.Server(config)
        task = asyncio.create_task(one.serve(sockets=[bound]))
        await one.wait_started()
        assert await fetch(url) == b"/"
        one.should_exit = True
        await task

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
def test_a_unix_socket(tmp_path: Path) -> None:
    async def main() -> None:
        async with server(uds=tmp_path / "app.sock") as one:
            path = str(tmp_path / "app.sock").replace("/", "%2F")
            assert one.urls == [f"http+unix://{path}"]
            connection = socket.socket(socket.AF_UNIX)
            with connection:
                connection.connect(str(tmp_path / "app.sock"))
        assert not (tmp_path / "app.sock").exists()

    asyncio.run(main())


def test_tls(authority: Authority) -> None:
    issued = authority.issue("localhost")
    context = authority.context()

    async def main() -> None:
        files = {"ssl_certfile": issued.certfile, "ssl_keyfile": str(issued.keyfile)}
        async with server(**files) as one:
            url = one.urls[0].replace("127.0.0.1", "localhost")
            assert url.startswith("https://")
            answer = await asyncio.to_thread(
                urllib.request.urlopen, url, context=context
            )
            assert answer.read() == b"/"

    asyncio.run(main())
    with pytest.raises(errors.ConfigError, match="--ssl-certfile"):
        server(ssl_certfile="no/such/file").run()


def test_in_a_thread() -> None:
    one = server()
    thread = threading.Thread(target=one.run)
    thread.start()
    one.wait_started_blocking(DEADLINE_SECONDS)
    assert one.started
    assert get(one.urls[0]) == b"/"
    one.should_exit = True
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_waiting_from_another_loop() -> None:
    one = server()
    thread = threading.Thread(target=one.run)
    thread.start()
    asyncio.run(one.wait_started())
    one.should_exit = one.force_exit = True
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_a_port_in_use_is_a_typed_error() -> None:
    async def main() -> None:
        async with server() as first:
            port = first.servers[0].sockets[0].getsockname()[1]
            second = server(port=port)
            task = asyncio.create_task(second.serve())
            with pytest.raises(errors.BindError) as caught:
                await second.wait_started()
            assert caught.value.exit_code == 3
            assert isinstance(caught.value, OSError)
            with pytest.raises(errors.BindError):
                await task
            with pytest.raises(errors.BindError):
                async with server(port=port):
                    pytest.fail("it has started")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("application", "error"),
    [
        (broken, errors.LifespanError),
        ("nope:app", errors.AppError),
        (5, errors.AppError),
    ],
)
def test_an_application_that_does_not_start(application: Any, error: Any) -> None:
    with pytest.raises(error):
        asyncio.run(server(application).serve())
    with pytest.raises(error):
        server(application).run()


def test_waiting_for_one_that_is_stopped_before() -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def hangs(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            started.set()
            await asyncio.Event().wait()

        one = server(hangs)
        task = asyncio.create_task(one.serve())
        await started.wait()
        one.should_exit = True
        with pytest.raises(errors.StartupError, match="stopped before it had started"):
            await one.wait_started()
        await task

    asyncio.run(main())


def test_a_cancelled_serve_and_then_shutdown() -> None:
    async def main() -> None:
        waits = asyncio.Event()
        inside = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                inside.set()
                await waits.wait()
            await app(scope, receive, send)

        one = server(slow)
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        url = one.urls[0]
        answer = asyncio.create_task(fetch(url))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        down = asyncio.create_task(one.shutdown())
        waits.set()
        assert await answer == b"/"
        await down

    asyncio.run(main())


def test_hooks_of_subclasses() -> None:
    calls: list[str] = []

    class Mine(smolcorn.Server):
        def install_signal_handlers(self) -> None:
            calls.append("install")

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            calls.append(f"startup {self.started}")

        async def main_loop(self) -> None:
            calls.append("main_loop")
            await super().main_loop()

        async def on_tick(self, counter: int) -> bool:
            calls.append(f"tick {counter}")
            return counter == 2

        async def shutdown(self, sockets: Any = None) -> None:
            calls.append("shutdown")
            await super().shutdown(sockets=sockets)

    Mine(smolcorn.Config(app, port=0, log_config=None)).run()
    assert calls == [
        "install",
        "startup True",
        "main_loop",
        "tick 0",
        "tick 1",
        "tick 2",
        "shutdown",
    ]


def test_callback_notify() -> None:
    calls: list[int] = []

    async def notify() -> None:
        calls.append(len(calls))
        one.should_exit = len(calls) == 2

    one = server(timeout_notify=0, callback_notify=notify)
    one.run()
    assert calls == [0, 1]


def test_handle_exit_is_looked_up_at_the_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def handle_exit(self: Any, sig: int, frame: Any) -> None:
        seen.append(sig)
        self.should_exit = True

    async def main() -> None:
        import signal

        one = server()
        task = asyncio.create_task(one.serve())
        await one.wait_started()
        monkeypatch.setattr(smolcorn.Server, "handle_exit", handle_exit)
        signal.raise_signal(signal.SIGTERM)
        await task
        assert seen == [signal.SIGTERM]

    asyncio.run(main())


# Config


def test_an_application_that_is_loaded_and_wrapped() -> None:
    config = smolcorn.Config(f"{__name__}:app", port=0, log_config=None)
    config.load()
    assert config.loaded and config.loaded_app is app
    with pytest.raises(AssertionError):
        config.load()

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["path"] = "/wrapped"
        await app(scope, receive, send)

    config.loaded_app = wrapped

    async def main() -> None:
        async with smolcorn.Server(config) as one:
            assert await fetch(one.urls[0]) == b"/wrapped"

    asyncio.run(main())


def test_attributes_may_be_changed_until_it_starts() -> None:
    one = server(port=1)
    one.config.port = 0
    one.config.root_path = "/api"
    one.config.h11_max_header_count = 5

    async def main() -> None:
        async with one:
            assert await fetch(f"{one.urls[0]}/x") == b"/api/x"

    asyncio.run(main())


def test_who_sets_what(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.smolcorn]\nport = 1\nhost = 'of.project'\nroot-path = '/project'\n"
        "backlog = 5\naccess-log = false\nheaders = ['a:b']\n"
    )
    monkeypatch.setenv("UVICORN_HOST", "of.uvicorn")
    monkeypatch.setenv("UVICORN_ROOT_PATH", "/uvicorn")
    monkeypatch.setenv("UVICORN_PORT", "2")
    monkeypatch.setenv("SMOLCORN_PORT", "3")
    monkeypatch.setenv("SMOLCORN_ROOT_PATH", "/smolcorn")
    config = smolcorn.Config(app, port=4, log_level=None, log_config=None)
    assert (config.port, config.root_path, config.host) == (
        4,
        "/smolcorn",
        "of.uvicorn",
    )
    assert (config.backlog, config.access_log) == (5, False)
    assert (config.headers, config.encoded_headers) == (["a:b"], [(b"a", b"b")])
    assert (config.log_level, config.lifespan) == (None, "auto")


def test_what_is_read_late(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET", "")
    monkeypatch.delenv("SECRET")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    monkeypatch.delenv("FORWARDED_ALLOW_IPS")
    (tmp_path / "one").write_text("SECRET=1\nFORWARDED_ALLOW_IPS=10.0.0.1\n")
    (tmp_path / "two").write_text("SECRET=2\n")
    files = [tmp_path / "one", tmp_path / "two"]
    config = smolcorn.Config(app, env_file=files, log_config=None)
    assert os.environ["SECRET"] == "2"
    assert (config.forwarded_allow_ips, config.workers) == ("10.0.0.1", 1)
    for name in ("SECRET", "FORWARDED_ALLOW_IPS"):
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 99999}, r"Invalid value for '--port': 99999 is not in the range"),
        ({"http": object}, "'builtins:object' is a protocol class"),
        ({"interface": "nope"}, "Invalid value for '--interface': 'nope'"),
        ({"ssl_context_factory": print}, "'ssl_context_factory' is not available"),
        ({"headers": [("a b", "c")]}, "'a b' is not a header name"),
    ],
)
def test_values_that_mean_nothing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.ConfigError, match=message):
        server(**options).run()
    with pytest.raises(ValueError, match=message):
        server(**options).run()


def test_a_broken_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.smolcorn]\nprot = 1\n")
    with pytest.raises(errors.ConfigError, match="Did you mean 'port'"):
        server()


def test_unknown_options_and_known_ones() -> None:
    import inspect

    with pytest.raises(TypeError, match="unexpected keyword argument 'debug'"):
        server(debug=True)
    for function in (smolcorn.Config, smolcorn.run):
        names = list(inspect.signature(function).parameters)
        assert names[:3] == ["app", "host", "port"]
        assert {"workers", "limit_head_size", "reload_dirs"} <= {*names}


@pytest.mark.parametrize(
    "options",
    [
        {"ws_max_size": 16777216, "ws_ping_interval": 20, "http": "h11"},
        {"headers": [(b"x-a", "b")], "uds_mode": None, "loop": "asyncio"},
        {"timeout_graceful_shutdown": math.inf, "timeout_keep_alive": 1},
        {"forwarded_allow_ips": ["10.0.0.1", "::1"], "log_level": "WARNING"},
        {"loop": asyncio.new_event_loop, "log_level": logging.ERROR},
        {"http": "uvicorn.protocols.http.h11_impl:H11Protocol"},
    ],
)
def test_values_as_programs_give_them(options: dict[str, Any]) -> None:
    async def main() -> None:
        async with server(**options) as one:
            assert await fetch(one.urls[0]) == b"/"

    asyncio.run(main())


def test_logging_is_set_up_when_the_configuration_is_made() -> None:
    import copy

    error = logging.getLogger("uvicorn.error")
    smolcorn.Config(app, log_level="critical")
    assert error.level == logging.CRITICAL
    mine = copy.deepcopy(LOGGING_CONFIG)
    mine["loggers"]["uvicorn.error"]["level"] = "ERROR"
    smolcorn.Config(app, log_config=mine)
    assert error.level == logging.ERROR
    smolcorn.Config(app, log_config=None)
    assert error.level == logging.ERROR


# run()


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
        (
            "app, reload=True",
            3,
            "ERROR:    You must pass the application as an import string to enable "
            "'reload' or 'workers'.",
        ),
    ],
)
def test_run_turns_errors_into_exit_codes(
    tmp_path: Path, call: str, status: int, line: str
) -> None:
    done = run(tmp_path, f"smolcorn.run({call})")
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines() == [line]


def test_main_is_the_command_line(tmp_path: Path) -> None:
    done = run(tmp_path, "smolcorn.main(['--version'])")
    assert done.returncode == 0
    assert done.stdout.startswith("Running smolcorn ")


def test_the_command_line_that_says_the_same(tmp_path: Path) -> None:
    config = smolcorn.Config(
        "m:app",
        port=0,
        reload=True,
        reload_dirs="src",
        access_log=False,
        proxy_headers=True,
        headers=[("a", "b"), ("c", "d")],
        log_level=logging.ERROR,
        log_config={"version": 1, "incremental": True},
    )
    config.root_path = "/changed"
    with config.command_line() as argv:
        [file] = [word.split("=")[1] for word in argv if "log-config" in word]
        assert Path(file).read_text() == '{"version": 1, "incremental": true}'
        argv.remove(f"--log-config={file}")
        assert sorted(argv[:-2]) == [
            "--header=a:b",
            "--header=c:d",
            "--log-level=error",
            "--no-access-log",
            "--port=0",
            "--proxy-headers",
            "--reload",
            "--reload-dir=src",
            "--root-path=/changed",
        ]
        assert argv[-2:] == ["--", "m:app"]
    assert not Path(file).exists()
