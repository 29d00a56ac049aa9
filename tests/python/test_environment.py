from __future__ import annotations

import os
from pathlib import Path

import pytest

from smolcorn import environment
from smolcorn.config import Settings
from smolcorn.errors import StartupError

from .conftest import Lines

DEFAULTS = Settings(app="")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set, then deleted: so what the test's env file sets is removed afterwards.
    for name in ("WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "FROM_FILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_defaults() -> None:
    done = environment.complete(DEFAULTS)
    assert (done.forwarded_allow_ips, done.workers) == ("127.0.0.1,::1", 1)


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    assert environment.complete(DEFAULTS).forwarded_allow_ips == "*"
    given = Settings(app="", forwarded_allow_ips="10.0.0.1", workers=0)
    done = environment.complete(given)
    assert (done.forwarded_allow_ips, done.workers) == ("10.0.0.1", 1)


def test_an_empty_list_trusts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    assert environment.complete(DEFAULTS).forwarded_allow_ips == ""


def test_several_workers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    with pytest.raises(StartupError) as caught:
        environment.complete(DEFAULTS)
    assert caught.value.exit_code == 2


def test_web_concurrency_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "abc")
    with pytest.raises(StartupError) as caught:
        environment.complete(DEFAULTS)
    assert str(caught.value) == (
        "Invalid value for WEB_CONCURRENCY: 'abc' is not a valid integer."
    )
    assert caught.value.exit_code == 1


def test_env_file(tmp_path: Path, logs: Lines) -> None:
    pytest.importorskip("dotenv")
    path = tmp_path / "my.env"
    path.write_text("FROM_FILE=yes\nFORWARDED_ALLOW_IPS=10.1.1.1\nPATH=none\n")
    done = environment.complete(Settings(app="", env_file=str(path)))
    assert os.environ["FROM_FILE"] == "yes"
    assert os.environ["PATH"] != "none"
    assert done.forwarded_allow_ips == "10.1.1.1"
    assert logs.lines == [f"INFO Loading environment from '{path}'"]


def test_an_unreadable_env_file(tmp_path: Path) -> None:
    pytest.importorskip("dotenv")
    path = tmp_path / "my.env"
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(StartupError, match=r"Error reading env file '.*my.env'"):
        environment.complete(Settings(app="", env_file=str(path)))


def test_without_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dotenv", None)
    with pytest.raises(StartupError, match="Install the python-dotenv package"):
        environment.complete(Settings(app="", env_file="x"))
