from __future__ import annotations

import runpy
import sys
from typing import Any

import pytest

import smolcorn
from smolcorn import cli
from smolcorn.config import Settings

from . import fake_core
from .fake_core import Core


def test_version(core: type[Core]) -> None:
    assert smolcorn.__version__ == fake_core.__version__
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        smolcorn.nope  # noqa: B018


def test_the_command_line(core: type[Core], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def main(argv: list[str]) -> int:
        seen.append(argv)
        return 7

    core.main = staticmethod(main)
    monkeypatch.setattr(sys, "argv", ["smolcorn", "m:app", "--port=1"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 7
    with pytest.raises(SystemExit):
        runpy.run_module("smolcorn", run_name="__main__")
    assert seen == [["m:app", "--port=1"]] * 2


def test_a_reader_that_goes_away(
    core: type[Core], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    class Closed:
        def __init__(self, descriptor: int) -> None:
            self.descriptor = descriptor

        def flush(self) -> None:
            raise BrokenPipeError

        def fileno(self) -> int:
            return self.descriptor

    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", Closed(stream.fileno()))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 0
        stream.write("lost")
    assert (tmp_path / "out").read_text() == ""


def test_run_takes_settings(core: type[Core], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings] = []
    answers = [0, 3]

    def serve(settings: Settings) -> int:
        seen.append(settings)
        return answers.pop(0)

    monkeypatch.setattr("smolcorn.server.run", serve)
    smolcorn.run("m:app", port=9)
    assert seen == [Settings(app="m:app", port=9)]
    with pytest.raises(SystemExit) as caught:
        smolcorn.run("m:app")
    assert caught.value.code == 3
    with pytest.raises(TypeError, match="ssl_keyfile"):
        smolcorn.run("m:app", ssl_keyfile="x")


def test_settings_do_not_change() -> None:
    settings: Any = Settings(app="m:app")
    with pytest.raises(AttributeError):
        settings.port = 1
    with pytest.raises((AttributeError, TypeError)):
        settings.prot = 1
