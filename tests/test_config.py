"""`smolcorn.Config`: where its values come from, and what programs read of it."""

import asyncio
import logging
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.wheel import needs_the_wheel

needs_the_wheel()

import smolcorn  # noqa: E402
from harness.embedded import app, fetch, server  # noqa: E402
from smolcorn import errors  # noqa: E402
from smolcorn.config import LOGGING_CONFIG  # noqa: E402

pytestmark = pytest.mark.usefixtures("clean")


def test_an_application_that_is_loaded_and_wrapped() -> None:
    config = smolcorn.Config("harness.embedded:app", port=0, log_config=None)
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
    assert config.headers == ["a:b"]
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


def test_what_programs_read_of_uvicorns() -> None:
    from smolcorn.compat.uvicorn.lifespan.off import LifespanOff
    from smolcorn.compat.uvicorn.lifespan.on import LifespanOn
    from smolcorn.compat.uvicorn.protocols.http.auto import AutoHTTPProtocol
    from smolcorn.compat.uvicorn.protocols.http.h11_impl import H11Protocol

    config = smolcorn.Config(app, headers=[("X-A", "b")], log_config=None)
    config.load()
    assert config.encoded_headers == [(b"server", b"smolcorn"), (b"x-a", b"b")]
    assert config.http_protocol_class is AutoHTTPProtocol
    assert config.ws_protocol_class is not None
    assert config.lifespan_class is LifespanOn
    assert (config.is_ssl, config.use_subprocess, config.should_reload) == (
        False,
        False,
        False,
    )
    assert (config.asgi_version, config.reload_dirs, config.workers) == ("3.0", [], 1)
    config = smolcorn.Config(
        app, http=H11Protocol, ws="none", lifespan="off", log_config=None
    )
    assert config.http_protocol_class is H11Protocol
    assert config.ws_protocol_class is None
    assert config.lifespan_class is LifespanOff
    config.headers = [("server", "mine")]
    assert config.encoded_headers == [(b"server", b"mine")]


def test_what_is_watched(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    options = {"reload": True, "log_config": None}
    config = smolcorn.Config("m:app", **options)  # type: ignore[arg-type]
    assert config.should_reload and config.use_subprocess
    assert config.reload_dirs == [Path.cwd()]
    assert (config.reload_includes, config.reload_excludes) == ([], [])
    config = smolcorn.Config(
        "m:app",
        reload_dirs="src",
        reload_includes="*.html",
        reload_excludes=["build", "*.tmp"],
        **options,  # type: ignore[arg-type]
    )
    assert config.reload_dirs == [Path("src")]
    assert config.reload_includes == ["*.html"]
    assert config.reload_dirs_excludes == [Path("build").resolve()]
    config.reload_includes.append("*.css")
    config.reload_dirs.append(Path("more"))
    with config.command_line() as argv:
        assert [word for word in argv if word.startswith("--reload-")] == [
            "--reload-dir=src",
            "--reload-dir=more",
            "--reload-include=*.html",
            "--reload-include=*.css",
            "--reload-exclude=build",
            "--reload-exclude=*.tmp",
        ]
    # Objects cannot be imported anew.
    assert not smolcorn.Config(app, **options).should_reload  # type: ignore[arg-type]


def test_a_list_of_nothing_that_is_filled_in_place() -> None:
    config = smolcorn.Config("m:app", reload=True, log_config=None)
    config.reload_excludes.append("*.tmp")
    with config.command_line() as argv:
        assert "--reload-exclude=*.tmp" in argv


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
            f"--app-dir={os.path.abspath(sys.path[0])}",
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
