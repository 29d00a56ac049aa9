"""The env file, and the moment at which the core looks at the environment again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from smolcorn import environment
from smolcorn.config import Settings
from smolcorn.errors import ConfigError, StartupError

from .conftest import Lines
from .fake_core import Core, settings


@pytest.fixture(autouse=True)
def clean(core: type[Core], monkeypatch: pytest.MonkeyPatch) -> None:
    # Set, then deleted: so what the test's env file sets is removed afterwards.
    monkeypatch.setenv("FROM_FILE", "")
    monkeypatch.delenv("FROM_FILE")


def seen_by_the_core(done: Settings) -> dict[str, str]:
    native: Any = done.native
    environment: dict[str, str] = native.environment
    return environment


def test_without_an_env_file(logs: Lines) -> None:
    assert seen_by_the_core(environment.complete(settings())) == dict(os.environ)
    assert logs.lines == []


def test_the_core_sees_what_the_env_file_set(tmp_path: Path, logs: Lines) -> None:
    path = tmp_path / "my.env"
    path.write_text("FROM_FILE=yes\nPATH=none\n")
    done = environment.complete(settings("m:app", env_files=(str(path),)))
    assert done.app == "m:app"
    assert os.environ["FROM_FILE"] == seen_by_the_core(done)["FROM_FILE"] == "yes"
    assert os.environ["PATH"] != "none"
    assert logs.lines == [f"INFO Loading environment from '{path}'"]


def test_what_the_core_refuses_is_a_usage_error(core: type[Core]) -> None:
    core.late_error = ValueError("Invalid value for 'WEB_CONCURRENCY'.")
    with pytest.raises(StartupError) as caught:
        environment.complete(settings())
    assert str(caught.value) == "Invalid value for 'WEB_CONCURRENCY'."
    assert caught.value.exit_code == 2


def test_an_unreadable_env_file(tmp_path: Path) -> None:
    path = tmp_path / "my.env"
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(StartupError, match=r"Error reading env file '.*my.env'"):
        environment.complete(settings(env_files=(str(path),)))


def test_of_several_files_the_later_one_wins(tmp_path: Path, logs: Lines) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("FROM_FILE=1\nPATH=none\n")
    second.write_text("FROM_FILE=2\nnonsense\n")
    environment.load_files((str(first), str(second)))
    assert os.environ["FROM_FILE"] == "2"
    assert logs.lines == [
        f"INFO Loading environment from '{first}'",
        f"INFO Loading environment from '{second}'",
        f"WARNING Line 2 of '{second}' sets no variable.",
    ]


def test_a_variable_that_the_system_refuses(tmp_path: Path) -> None:
    path = tmp_path / "my.env"
    path.write_text("FROM_FILE=\0\n")
    with pytest.raises(ConfigError, match="Cannot set the variable 'FROM_FILE'"):
        environment.load_files((str(path),))
