"""The parent of other processes: a program that runs no Python and needs little memory, and
never a program of the user's that has become another one."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Start
from harness.deadline import Deadline
from harness.server import environment, is_binary
from harness.wheel import needs_the_wheel
from harness.workers import memory_mib

TESTS = Path(__file__).parent
APP = "apps.workers:app"
OWN_MIB_MAX = 5
WAYS = [["--workers", "2"], ["--workers", "2", "--preload"]]


def mapped(pid: int) -> set[str]:
    """The files that a process has in memory."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {fields[5] for line in lines if len(fields := line.split(None, 5)) == 6}


def carried_by(core: Path) -> Path:
    """The wheel's parent, beside its native module."""
    return core.parent / "_bin" / "smolcorn"


@pytest.mark.parametrize("options", WAYS, ids=" ".join)
def test_it_runs_no_python(start: Start, options: list[str]) -> None:
    server = start(APP, *options)
    files = mapped(server.pid)
    cores = [Path(file) for file in files if re.search(r"/_core\b.*\.so$", file)]
    if cores and not carried_by(cores[0]).exists():
        pytest.skip("built without the program that is the wheel's parent")
    assert not cores
    # The binary is linked with it, and does not start it.
    assert is_binary() or not any("libpython" in file for file in files)
    assert memory_mib(server.pid)["Private_Dirty"] < OWN_MIB_MAX
    assert server.stop() == 0


@pytest.fixture
def package() -> Path:
    """The folder of the package under test, which has been built with its parent."""
    needs_the_wheel()
    from smolcorn import _core

    folder = Path(_core.__file__).parent
    if not carried_by(folder / "_core").exists():
        pytest.skip("built without the program that is the wheel's parent")
    return folder


class Program:
    """A program of the user's."""

    def __init__(self, path: Path, source: str, package: Path) -> None:
        path.write_text(textwrap.dedent(source))
        search = os.pathsep.join([str(package.parent), str(TESTS)])
        self.process = subprocess.Popen(
            [sys.executable, str(path)],
            env=environment({"PYTHONPATH": search}),
            cwd=TESTS,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_parent(self) -> None:
        """Waits until it has said that it is a parent."""
        assert self.process.stderr
        for line in self.process.stderr:
            if "Started parent process" in line:
                assert f"[{self.process.pid}]" in line
                return
        raise AssertionError("it has ended")

    def stop(self) -> str:
        """Asks it to stop; what it has written to stdout."""
        self.process.terminate()
        written, _ = self.process.communicate(timeout=Deadline().left())
        assert self.process.returncode == 0
        return written

    def runs_python(self) -> bool:
        """Whether it is the interpreter still."""
        return any("/_core" in file for file in mapped(self.process.pid))


@pytest.fixture
def programs(tmp_path: Path, package: Path) -> Iterator[list[Program]]:
    """Those that are to be ended after the test."""
    started: list[Program] = []
    yield started
    for program in started:
        program.process.kill()
        program.process.communicate()


@pytest.mark.parametrize(
    "call",
    [
        f"smolcorn.main([{APP!r}, '--port', '0', '--workers', '2'])",
        f"smolcorn.run({APP!r}, port=0, workers=2)",
        f"smolcorn.compat.install(); import uvicorn; uvicorn.run({APP!r}, port=0, workers=2)",
    ],
)
def test_a_program_that_asks_for_workers_lives_on(
    call: str, tmp_path: Path, package: Path, programs: list[Program]
) -> None:
    source = f"""
        import smolcorn, smolcorn.compat
        if __name__ == "__main__":
            try:
                {call}
            finally:
                print("still here")
        """
    program = Program(tmp_path / "program.py", source, package)
    programs.append(program)
    program.wait_until_parent()
    assert program.runs_python()
    assert program.stop() == "still here\n"


@pytest.mark.parametrize(
    ("watcher", "stays"),
    [
        ("pass", False),
        ("sys.settrace(lambda *_: None)", True),
        ("sys.setprofile(lambda *_: None)", True),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", True),
    ],
)
def test_a_process_that_is_watched_stays_what_it_is(
    watcher: str,
    stays: bool,
    tmp_path: Path,
    package: Path,
    programs: list[Program],
) -> None:
    source = f"""
        import sys, threading
        from smolcorn.cli import script
        sys.argv[1:] = [{APP!r}, "--port", "0", "--workers", "2"]
        {watcher}
        script()
        """
    program = Program(tmp_path / "program.py", source, package)
    programs.append(program)
    program.wait_until_parent()
    assert program.runs_python() == stays
    program.stop()


def test_run_by_hand_it_says_what_it_is(package: Path) -> None:
    own = carried_by(package / "_core")
    for arguments in ([], ["-m", "smolcorn"], ["python3", "-m", "smolcorn", APP]):
        done = subprocess.run(
            [own, *arguments], capture_output=True, text=True, env=environment()
        )
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1 or "Usage" in done.stderr
