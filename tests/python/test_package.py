from __future__ import annotations

import re
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


ROOT = Path(__file__).parents[2]
UNNAMED = {"mod.rs", "lib.rs", "tests.rs", "testing.rs", "__init__.py"}
"""Of these a folder's line speaks."""


def test_the_map_names_every_file() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = page.partition("\n## The map\n")[2].partition("\n## ")[0]
    words = set(re.findall(r"[\w./]+", shown))
    names = {word.rpartition("/")[2] for word in words} | words
    missing = []
    for folder in ("src", "actors/src", "python/smolcorn"):
        for path in (ROOT / folder).rglob("*"):
            inner = path.relative_to(ROOT).parts
            if "tests" in inner or "compat" in inner or "__pycache__" in inner:
                continue
            if path.suffix in (".rs", ".py") and path.name not in UNNAMED:
                if path.name not in names:
                    missing.append("/".join(inner))
    assert missing == []


def test_every_file_of_the_map_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = page.partition("\n## The map\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"(?:\w+/)*\w+\.(?:rs|py)\b", shown))
    files = {
        path.relative_to(ROOT).as_posix()
        for folder in ("src", "actors/src", "python/smolcorn")
        for path in (ROOT / folder).rglob("*.*")
    }
    assert [
        name
        for name in sorted(named)
        if not any(f"/{file}".endswith(f"/{name}") for file in files)
    ] == []
