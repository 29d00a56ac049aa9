from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

import smolcorn
from smolcorn import cli

from . import fake_core
from .fake_core import Core, settings


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
    # By its path: pytest's own loader, which may have the package, cannot run a module.
    with pytest.raises(SystemExit):
        runpy.run_path(
            str(Path(cli.__file__).with_name("__main__.py")), run_name="__main__"
        )
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


def test_settings_do_not_change() -> None:
    made: Any = settings("m:app")
    with pytest.raises(AttributeError):
        made.loop = "uvloop"
    with pytest.raises((AttributeError, TypeError)):
        made.lop = "uvloop"
