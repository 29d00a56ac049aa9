"""The binary finds the user's Python environment and runs as that environment's own interpreter.

Each test starts the binary with an application that reports, while it is imported, what it sees,
and then ends the process.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BINARY = os.environ.get("SMOLCORN_BIN", "")
DEADLINE_SECONDS = 60
VERSION = "{}.{}".format(*sys.version_info)
REPORT = """\
import json, sys

report = {
    "executable": sys.executable,
    "prefix": sys.prefix,
    "base_prefix": sys.base_prefix,
    "argv": sys.argv,
    "path": sys.path,
}
"""
END = """
print(json.dumps(report))
raise SystemExit(0)
"""


def is_binary() -> bool:
    """Whether the program under test embeds Python: the wheel's is a script."""
    try:
        with open(BINARY, "rb") as file:
            return file.read(2) != b"#!"
    except FileNotFoundError:
        return False


if not is_binary():
    pytest.skip(
        "embedding is tested with SMOLCORN_BIN=the binary", allow_module_level=True
    )

Venv = Callable[[str], Path]


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    """Makes a virtual environment in the working directory of the binary; returns its folder."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        base = os.path.join(sys.base_prefix, "bin", f"python{VERSION}")
        subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
        return folder

    return make


def site_packages(venv: Path) -> Path:
    return venv / "lib" / f"python{VERSION}" / "site-packages"


def script(path: Path, text: str) -> Path:
    """Writes a shell script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


class Run:
    """Starts the binary in a folder of its own, and with no settings but those of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = {"PATH": os.environ["PATH"], "HOME": str(folder)}

    def app(self, source: str = "", name: str = "app") -> None:
        (self.folder / f"{name}.py").write_text(REPORT + source + END)

    def start(self, *options: str, **settings: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [os.path.abspath(BINARY), *options, "app:app"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **settings,
        )

    def output(self, *options: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        with self.start(*options) as process:
            stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
        return process.returncode, stdout, stderr

    def report(self, *options: str) -> dict[str, Any]:
        """What the application has seen."""
        status, stdout, stderr = self.output(*options)
        assert (status, stderr) == (0, ""), stderr
        report: dict[str, Any] = json.loads(stdout)
        return report

    def refusal(self, *options: str) -> str:
        """The one line with which the binary gives up."""
        status, stdout, stderr = self.output(*options)
        assert (status, stdout) == (1, "")
        [line] = stderr.splitlines()
        return line


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path)
    run.app()
    return run


def test_an_activated_environment_is_taken(run: Run, venv: Venv) -> None:
    folder = venv("active")
    venv(".venv")
    run.variables["VIRTUAL_ENV"] = str(folder)
    report = run.report()
    assert report["prefix"] == str(folder)
    assert report["executable"] == str(folder / "bin" / "python")
    assert os.path.samefile(report["base_prefix"], sys.base_prefix)
    assert str(site_packages(folder)) in report["path"]


def test_packages_of_the_environment_are_imported(run: Run, venv: Venv) -> None:
    folder = venv(".venv")
    (site_packages(folder) / "installed_here.py").write_text("answer = 42\n")
    run.app("import installed_here\nreport['answer'] = installed_here.answer\n")
    assert run.report()["answer"] == 42


def test_a_conda_environment_is_taken_before_dot_venv(run: Run, venv: Venv) -> None:
    folder = venv("conda")
    venv(".venv")
    run.variables["CONDA_PREFIX"] = str(folder)
    assert run.report()["prefix"] == str(folder)


def test_dot_venv_is_taken_before_the_search_path(run: Run, venv: Venv) -> None:
    folder = venv(".venv")
    assert run.report()["prefix"] == str(folder)


def test_python3_on_the_search_path_is_taken_last(run: Run, venv: Venv) -> None:
    folder = venv("elsewhere")
    run.variables["PATH"] = f"{folder / 'bin'}:/usr/bin:/bin"
    assert run.report()["prefix"] == str(folder)


def test_a_shim_on_the_search_path_is_asked(run: Run, venv: Venv) -> None:
    folder = venv("elsewhere")
    python = shlex.quote(str(folder / "bin" / "python"))
    script(run.folder / "shims" / "python3", f'exec {python} "$@"')
    run.variables["PATH"] = f"{run.folder / 'shims'}:/usr/bin:/bin"
    report = run.report()
    assert report["prefix"] == str(folder)
    assert report["executable"] == str(folder / "bin" / "python")


@pytest.mark.parametrize("how", ["folder", "interpreter", "variable", "relative"])
def test_the_option_is_taken_before_all(run: Run, venv: Venv, how: str) -> None:
    folder = venv("chosen")
    run.variables["VIRTUAL_ENV"] = str(venv("active"))
    options: tuple[str, ...] = ()
    if how == "variable":
        run.variables["SMOLCORN_PYTHON"] = str(folder)
    elif how == "relative":
        options = ("--python", "chosen")
    elif how == "interpreter":
        options = ("--python", str(folder / "bin" / "python3"))
    else:
        options = (f"--python={folder}",)
    assert run.report(*options)["prefix"] == str(folder)


def test_an_interpreter_outside_environments_is_taken(run: Run) -> None:
    python = os.path.join(sys.base_prefix, "bin", f"python{VERSION}")
    report = run.report("--python", python)
    assert os.path.samefile(report["executable"], python)
    assert os.path.samefile(report["prefix"], sys.base_prefix)


def test_another_version_is_refused(run: Run, venv: Venv) -> None:
    folder = venv("active")
    settings = folder / "pyvenv.cfg"
    settings.write_text(
        settings.read_text().replace(f"version = {VERSION}", "version = 3.9")
    )
    run.variables["VIRTUAL_ENV"] = str(folder)
    line = run.refusal()
    assert f"built for Python {VERSION}" in line
    assert "is Python 3.9" in line
    assert "--python" in line


def test_an_interpreter_that_does_not_work_is_refused(run: Run) -> None:
    broken = script(
        run.folder / "bin" / "python", "echo 'no such version' >&2; exit 127"
    )
    line = run.refusal("--python", str(broken))
    assert str(broken) in line
    assert "no such version" in line


def test_a_missing_environment_is_refused(run: Run) -> None:
    run.variables["VIRTUAL_ENV"] = str(run.folder / "gone")
    assert str(run.folder / "gone") in run.refusal()


def test_the_binarys_own_package_is_used(run: Run, venv: Venv) -> None:
    package = site_packages(venv(".venv")) / "smolcorn"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise ImportError('the wheel of another version')\n"
    )
    run.app(
        """
import linecache
import smolcorn._core

report["file"] = smolcorn.__file__
report["core"] = smolcorn._core.__spec__.origin
report["line"] = linecache.getline(smolcorn.__file__, 1, vars(smolcorn))
"""
    )
    report = run.report()
    assert report["file"] == os.path.join(
        os.path.abspath(BINARY), "smolcorn", "__init__.py"
    )
    assert report["core"] == "built-in"
    source = Path(__file__).parent.parent / "python" / "smolcorn" / "__init__.py"
    assert report["line"] == source.read_text().splitlines(keepends=True)[0]


def test_tracebacks_show_lines_of_the_package(run: Run, venv: Venv) -> None:
    venv(".venv")
    (run.folder / "app.py").write_text(
        "import smolcorn.importer\nsmolcorn.importer.import_from_string('broken:app')\n"
    )
    (run.folder / "broken.py").write_text("1 / 0\n")
    status, stdout, stderr = run.output()
    assert (status, stdout) == (1, "")
    shown = stderr.splitlines()
    importer = Path(__file__).parent.parent / "python" / "smolcorn" / "importer.py"
    source = importer.read_text().splitlines()
    [place] = [line for line in shown if f"{BINARY}/smolcorn/importer.py" in line]
    number = int(place.split(", line ")[1].split(",")[0])
    assert shown[shown.index(place) + 1].strip() == source[number - 1].strip()
    assert shown[-1] == "ZeroDivisionError: division by zero"


def test_every_module_of_the_package_is_carried(run: Run, venv: Venv) -> None:
    venv(".venv")
    folder = Path(__file__).parent.parent / "python" / "smolcorn"
    files = [file.relative_to(folder.parent) for file in folder.rglob("*.py")]
    # compat/site is a folder for the path of other processes, and no package.
    files = [file for file in files if "site" not in file.parts]
    names = [".".join(file.with_suffix("").parts) for file in files]
    assert len(names) > 20
    # Some need packages that are not there, so they are found and compiled but not run.
    run.app(
        f"""
import importlib.util

for name in {names!r}:
    name = name.removesuffix(".__init__")
    found = importlib.util.find_spec(name)
    assert found is not None and found.loader.get_code(name) is not None, name
"""
    )
    assert run.report()


COMPILED = """
from importlib.util import MAGIC_NUMBER, cache_from_source
import smolcorn.server as module

cache = cache_from_source(module.__file__)
try:
    is_ours = module.__loader__.get_data(cache).startswith(MAGIC_NUMBER)
except FileNotFoundError:
    is_ours = None
report["compiled"] = is_ours
report["function"] = module.Server.run.__code__.co_filename == module.__file__
report["asserts"] = bool(__debug__)
"""


def test_modules_are_carried_compiled(run: Run, venv: Venv) -> None:
    venv(".venv")
    run.app(COMPILED)
    report = run.report()
    assert report["compiled"] is True
    assert report["function"] is True


def test_other_compilations_are_made_of_the_source(run: Run, venv: Venv) -> None:
    venv(".venv")
    run.app(COMPILED)
    run.variables["PYTHONOPTIMIZE"] = "1"
    report = run.report()
    assert (report["compiled"], report["asserts"]) == (None, False)
    assert report["function"] is True


def test_arguments_are_those_of_the_command_line(run: Run, venv: Venv) -> None:
    venv(".venv")
    argv = run.report("--root-path", "/é")["argv"]
    assert argv == [os.path.abspath(BINARY), "--root-path", "/é", "app:app"]


def test_variables_of_python_count(run: Run, venv: Venv) -> None:
    venv(".venv")
    (run.folder / "more").mkdir()
    run.variables |= {"PYTHONPATH": str(run.folder / "more"), "PYTHONUTF8": "1"}
    run.app("report['utf8'] = sys.flags.utf8_mode\n")
    report = run.report()
    assert str(run.folder / "more") in report["path"]
    assert report["utf8"] == 1


def test_processes_of_the_application_run_in_its_environment(
    run: Run, venv: Venv
) -> None:
    folder = venv(".venv")
    run.app(
        """
import subprocess

code = "import sys; print(sys.prefix)"
report["child"] = subprocess.check_output([sys.executable, "-c", code], text=True)
"""
    )
    assert run.report()["child"] == f"{folder}\n"


def test_output_is_written_and_atexit_functions_run_at_the_end(
    run: Run, venv: Venv
) -> None:
    venv(".venv")
    (run.folder / "app.py").write_text(
        """
import atexit, sys

atexit.register(print, "the end")
print("begun", end=" ")
sys.exit(7)
"""
    )
    assert run.output() == (7, "begun the end\n", "")


def test_ctrl_c_interrupts_an_import(run: Run, venv: Venv) -> None:
    venv(".venv")
    (run.folder / "app.py").write_text(
        """
import time

try:
    print("importing", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise SystemExit(0)
"""
    )
    with run.start() as process:
        assert process.stdout
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert (stdout, stderr) == ("interrupted\n", "")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_reader_that_went_away_is_no_panic(run: Run, option: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        [os.path.abspath(BINARY), option],
        check=False,
        env=run.variables,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write_end)
    assert "panicked" not in process.stderr


def test_help_needs_no_python(run: Run) -> None:
    run.variables["PATH"] = "/nonexistent"
    status, stdout, stderr = run.output("--version")
    assert (status, stderr) == (0, "")
    assert VERSION in stdout
