"""The command line: what is said, on which stream, with which exit code."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Start
from harness.server import TESTS, Server, environment, program

APP = "apps.loading:app"
USAGE = re.compile(
    r"Usage: .*smolcorn \[OPTIONS\] APP\nTry '.*smolcorn --help' for help\.\n\nError: (.*)\n"
)


def ends(launch: Start, code: int, *arguments: str, **settings: object) -> Server:
    server = launch(*arguments, **settings)
    assert server.wait() == code
    return server


def body(server: Server, path: str = "/") -> bytes:
    with server.connect() as wire:
        return (
            wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            .response()
            .body
        )


# --- Usage ------------------------------------------------------------------------------------


def test_version(launch: Start) -> None:
    server = ends(launch, 0, "--version")
    assert re.fullmatch(
        r"Running smolcorn \d+\.\d+\.\d+\S* with CPython 3\.\d+\.\d+\S* on \w+\n",
        server.stdout.text,
    )
    assert server.stderr.text == ""


def test_help(launch: Start) -> None:
    server = ends(launch, 0, "--help")
    assert re.match(r"Usage: .*smolcorn \[OPTIONS\] APP\n", server.stdout.text)
    for option in (
        "--host",
        "--port",
        "--uds",
        "--workers",
        "--no-access-log",
        "--header",
        "--factory",
        "--io-threads",
    ):
        assert f"{option} " in server.stdout.text or f"{option}\n" in server.stdout.text
    assert server.stderr.text == ""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "Missing argument 'APP'."),
        (
            [APP, "--port", "abc"],
            "Invalid value for '--port': 'abc' is not a valid integer.",
        ),
        (
            [APP, "--port=abc"],
            "Invalid value for '--port': 'abc' is not a valid integer.",
        ),
        (
            [APP, "--log-level", "foo"],
            "Invalid value for '--log-level': 'foo' is not one of "
            "'critical', 'error', 'warning', 'info', 'debug', 'trace'.",
        ),
        (
            [APP, "--lifespan", "maybe"],
            "Invalid value for '--lifespan': 'maybe' is not one of 'auto', 'on', 'off'.",
        ),
        (
            [APP, "--env-file", "/nonexist"],
            "Invalid value for '--env-file': Path '/nonexist' does not exist.",
        ),
        (
            [APP, "--log-config", "/nonexist"],
            "Invalid value for '--log-config': Path '/nonexist' does not exist.",
        ),
        (
            [APP, "--ws-per-message-deflate", "maybe"],
            "Invalid value for '--ws-per-message-deflate': 'maybe' is not a valid boolean. "
            "Recognized values: , 0, 1, f, false, n, no, off, on, t, true, y, yes",
        ),
        ([APP, "extra"], "Got unexpected extra argument (extra)"),
    ],
)
def test_usage_errors(launch: Start, arguments: list[str], error: str) -> None:
    server = ends(launch, 2, *arguments)
    found = USAGE.fullmatch(server.stderr.text)
    assert found and found[1] == error
    assert server.stdout.text == ""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([APP, "--nope"], "No such option '--nope'."),
        ([APP, "--por", "5"], "No such option '--por'."),
        ([APP, "-p", "5"], "No such option '-p'. Did you mean '--port'?"),
        ([APP, "--port"], "Option '--port' requires an argument."),
        ([APP, "--access-log=yes"], "Option '--access-log' does not take a value."),
    ],
)
def test_errors_of_the_option_syntax(
    launch: Start, arguments: list[str], error: str
) -> None:
    server = ends(launch, 2, *arguments)
    assert server.stderr.lines[-1].startswith(f"Error: {error}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--http2"],
        ["--loop", "zuvloop"],
    ],
)
def test_nothing_is_silently_ignored(launch: Start, arguments: list[str]) -> None:
    server = ends(launch, 2, APP, *arguments)
    found = USAGE.fullmatch(server.stderr.text)
    assert found and arguments[0] in found[1]


# --- Options and the environment ----------------------------------------------------------------


def header_of(start: Start, *options: str, **env: str) -> list[bytes]:
    """The values of `x-a` in an answer of a server with these settings."""
    server = start(APP, *options, env=env)
    with server.connect() as wire:
        return wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").response().all(b"x-a")


def test_command_line_beats_the_environment(start: Start) -> None:
    assert header_of(
        start,
        "--header",
        "X-A:line",
        SMOLCORN_HEADERS="X-A:own",
        UVICORN_HEADERS="X-A:other",
    ) == [b"line"]


def test_own_variable_beats_uvicorns(start: Start) -> None:
    assert header_of(
        start, SMOLCORN_HEADERS="X-A:own", UVICORN_HEADERS="X-A:other"
    ) == [b"own"]


def test_uvicorns_variable(start: Start) -> None:
    assert header_of(start, UVICORN_HEADERS="X-A:1 X-A:2") == [b"1", b"2"]


def test_application_from_the_environment(launch: Start) -> None:
    server = launch("--port", "0", env={"UVICORN_APP": APP}).wait_until_ready()
    assert body(server) == b"function"


def test_port_from_the_environment_is_checked_as_well(launch: Start) -> None:
    server = ends(launch, 2, APP, env={"UVICORN_PORT": "abc"})
    assert (
        server.stderr.lines[-1]
        == "Error: Invalid value for '--port' (env var: 'UVICORN_PORT'): "
        "'abc' is not a valid integer."
    )


@pytest.mark.parametrize(
    ("value", "count"), [("1", 0), ("TRUE", 0), ("off", 1), ("", 1)]
)
def test_negative_of_a_pair_by_the_environment(
    start: Start, value: str, count: int
) -> None:
    # UVICORN_ACCESS_LOG is the pair's one variable; it says what the pair says.
    says = {"1": "0", "TRUE": "False", "off": "on", "": ""}[value]
    server = start(APP, env={"UVICORN_ACCESS_LOG": says})
    body(server)
    server.stop()
    assert len(server.stdout.lines) == count


def test_last_one_wins(launch: Start) -> None:
    server = launch(
        "--root-path", "/a", "--port=0", "apps.scope:app", "--root-path=/b"
    ).wait_until_ready()
    assert b"'root_path': '/b'" in body(server)


def test_options_behind_two_dashes_are_arguments(launch: Start) -> None:
    server = launch("--port", "0", "--", APP).wait_until_ready()
    assert body(server) == b"function"


def test_env_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(
        "TEST_VALUE=from the file\nFORWARDED_ALLOW_IPS=10.0.0.0/8\nUVICORN_ROOT_PATH=/ignored\n"
    )
    server = start("apps.loading:environment", "--env-file", str(file))
    assert f"INFO:     Loading environment from '{file}'" in server.stderr.lines
    assert body(server) == b"from the file"


def test_env_file_does_not_override(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("TEST_VALUE=from the file\n")
    server = start(
        "apps.loading:environment",
        "--env-file",
        str(file),
        env={"TEST_VALUE": "set before"},
    )
    assert body(server) == b"set before"


@pytest.mark.parametrize("value", ["0", "1", "-1"])
def test_one_worker(start: Start, value: str) -> None:
    assert body(start(APP, "--workers", value)) == b"function"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (
            "abc",
            r"Invalid value for 'WEB_CONCURRENCY': 'abc' is not a valid integer\.",
        ),
    ],
)
def test_web_concurrency_that_cannot_be_had(
    launch: Start, tmp_path: Path, value: str, error: str
) -> None:
    server = ends(launch, 2, APP, "--port", "0", env={"WEB_CONCURRENCY": value})
    assert re.fullmatch(rf"ERROR:    {error}\n", server.stderr.text)

    file = tmp_path / "settings"
    file.write_text(f"WEB_CONCURRENCY={value}\n")
    server = ends(launch, 2, APP, "--port", "0", "--env-file", str(file))
    assert re.fullmatch(f"ERROR:    {error}", server.stderr.lines[-1])


def test_one_worker_of_the_machine_cannot_do_what_several_could(start: Start) -> None:
    server = start(APP, "--preload", env={"WEB_CONCURRENCY": "1"})
    assert server.stop() == 0
    assert server.stderr.lines[0] == (
        "WARNING:  Option '--preload' needs more than one worker, and WEB_CONCURRENCY "
        "asks for one: it does nothing."
    )


@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload",)])
def test_variable_that_sets_nothing_is_told_once(
    start: Start, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "main.py").write_text("async def app(scope, receive, send): ...\n")
    server = start("main:app", *options, cwd=tmp_path, env={"SMOLCORN_PROT": "1"})
    assert server.stop() == 0
    assert [line for line in server.stderr.lines if "SMOLCORN_" in line] == [
        "WARNING:  The variable 'SMOLCORN_PROT' sets nothing. Did you mean 'SMOLCORN_PORT'?"
    ]


def test_workers_win_over_web_concurrency(start: Start) -> None:
    server = start(APP, "--workers", "1", env={"WEB_CONCURRENCY": "2"})
    assert body(server) == b"function"


# --- Loading the application ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["apps.loading", "apps.loading:", ":app", ":"])
def test_import_string_without_a_half(launch: Start, text: str) -> None:
    server = ends(launch, 3, text, "--port", "0")
    error = f'Error loading ASGI app. Import string "{text}" must be in format "<module>:<attribute>".'
    hint = ' Did you mean "apps.loading:app"?' if text.startswith("apps") else ""
    assert server.stderr.text == f"ERROR:    {error}{hint}\n"


@pytest.mark.parametrize("module", ["no_such_module", "apps.no_such_module"])
def test_module_is_missing(launch: Start, module: str) -> None:
    server = ends(launch, 3, f"{module}:app", "--port", "0")
    error = (
        f'Error loading ASGI app. Could not import module "{module}". It is neither in '
    )
    assert server.stderr.text.startswith(f"ERROR:    {error}")
    assert len(server.stderr.lines) == 1


def test_attribute_is_missing(launch: Start) -> None:
    server = ends(launch, 3, "apps.loading:Namespace.nope", "--port", "0")
    error = 'Error loading ASGI app. Attribute "Namespace.nope" not found in module "apps.loading".'
    assert server.stderr.text.startswith(f"ERROR:    {error}")
    assert len(server.stderr.lines) == 1


@pytest.mark.parametrize(
    ("text", "last"),
    [
        (
            "apps.broken.missing_import:app",
            "ModuleNotFoundError: No module named 'no_such_module_at_all'",
        ),
        ("apps.broken.raises:app", "ZeroDivisionError: raised while it is imported"),
    ],
)
def test_module_that_fails(launch: Start, text: str, last: str) -> None:
    server = ends(launch, 1, text, "--port", "0")
    assert server.stderr.lines[-1] == last
    # The user's own code, and neither the server's nor Python's import.
    assert server.stderr.lines[0] == "Traceback (most recent call last):"
    assert "/apps/broken/" in server.stderr.lines[1]
    assert "importlib" not in server.stderr.text


def test_module_with_a_syntax_error(launch: Start, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("def app(:\n")
    server = ends(launch, 1, "wrong:app", "--app-dir", str(tmp_path), "--port", "0")
    assert server.stderr.lines[-1].startswith("SyntaxError: ")
    assert server.stderr.lines[0].startswith(f'  File "{tmp_path}/wrong.py", line 1')


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("app", b"function"),
        ("plain_callable", b"function"),
        ("partial", b"partial"),
        ("decorated", b"decorated"),
        ("instance", b"object"),
        ("instance.method", b"method"),
        ("Namespace.inner", b"object"),
        ("Awaitable", b"awaitable class"),
        ("Double", b"asgi 2.0"),
        ("wsgi", b"wsgi"),
    ],
)
def test_kinds_of_applications(start: Start, name: str, answer: bytes) -> None:
    assert body(start(f"apps.loading:{name}")) == answer


@pytest.mark.parametrize(
    ("interface", "name", "answer"),
    [
        ("asgi3", "app", b"function"),
        ("asgi2", "Double", b"asgi 2.0"),
        ("wsgi", "wsgi", b"wsgi"),
    ],
)
def test_interface_by_name(
    start: Start, interface: str, name: str, answer: bytes
) -> None:
    assert body(start(f"apps.loading:{name}", "--interface", interface)) == answer


def test_factory(start: Start) -> None:
    server = start("apps.loading:make", "--factory")
    assert body(server) == b"function"
    assert "WARNING" not in server.stderr.text


def test_factory_that_is_not_announced(start: Start) -> None:
    server = start("apps.loading:make")
    assert body(server) == b"function"
    warning = "ASGI app factory detected. Using it, but please consider setting the --factory flag explicitly."
    assert f"WARNING:  {warning}" in server.stderr.lines


def test_factory_with_a_type_error(launch: Start) -> None:
    server = ends(launch, 3, "apps.loading:make_failing", "--factory", "--port", "0")
    error = "object of type 'int' has no len()"
    assert server.stderr.text == f"ERROR:    Error loading ASGI app factory: {error}\n"


def test_factory_that_raises(launch: Start) -> None:
    server = ends(launch, 1, "apps.loading:make_raising", "--factory", "--port", "0")
    assert server.stderr.lines[-1] == "LookupError: the factory has failed"


APPLICATION = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"found"})
"""


def test_application_in_the_working_directory(start: Start, tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(APPLICATION)
    assert body(start("here:app", cwd=tmp_path)) == b"found"


def test_application_in_a_given_directory(start: Start, tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text(APPLICATION)
    assert body(start("there:app", "--app-dir", str(tmp_path))) == b"found"


def test_given_directory_comes_first(start: Start, tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    for folder in (near, far):
        folder.mkdir()
        (folder / "twice.py").write_text(APPLICATION)
    (far / "twice.py").write_text("raise RuntimeError('the wrong one')")
    server = start(
        "twice:app", "--app-dir", str(near), cwd=far, env={"PYTHONPATH": str(far)}
    )
    assert body(server) == b"found"


def test_directory_that_does_not_exist(start: Start) -> None:
    assert (
        body(
            start(
                APP,
                "--app-dir",
                "/nonexist",
                env={"PYTHONPATH": str(Path(__file__).parent)},
            )
        )
        == b"function"
    )


def test_program_knows_its_environment(start: Start, tmp_path: Path) -> None:
    (tmp_path / "where.py").write_text(
        APPLICATION.replace('b"found"', "sys.prefix.encode()").replace(
            '(b"content-length", b"5")', ""
        )
        + "\nimport sys\n"
    )
    assert body(start("where:app", "--app-dir", str(tmp_path))) == sys.prefix.encode()


# --- Where it is started from -----------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_closed_standard_streams(closed: str) -> None:
    command = [*program(), APP, "--port", "0"]
    with subprocess.Popen(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
        cwd=TESTS,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "running on" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait() == 0, said
    assert "Traceback" not in said


def test_an_argument_that_is_no_text() -> None:
    done = subprocess.run(
        [*map(os.fsencode, program()), b"m\xff:app"],
        cwd=TESTS,
        env=environment(),
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode()
    assert said.startswith(
        'ERROR:    Error loading ASGI app. Could not import module "m\ufffd".'
    )
    assert done.returncode == 3
