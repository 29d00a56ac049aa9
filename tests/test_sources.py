"""Where settings come from: pyproject.toml, files of variables; and `--print-config`."""

import http.client
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from harness.deadline import DEADLINE_SECONDS
from harness.server import Server, environment, program

APP = """\
import os

async def app(scope, receive, send):
    body = os.environ.get("TEST_VALUE", "").encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an application `main:app`."""
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


def table(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.smolcorn]\n{text}")


def call(project: Path, *arguments: str, **variables: str) -> Any:
    return subprocess.run(
        [*program(), *arguments],
        cwd=project,
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


def answer(server: Server) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    return response


def test_the_table_alone_serves(launch: Start, project: Path) -> None:
    table(project, 'app = "main:app"\nport = 0\nheader = ["x-from:project"]\n')
    server = launch(cwd=project).wait_until_ready()
    assert answer(server).headers["x-from"] == "project"


def test_variables_and_arguments_win_over_the_table(
    launch: Start, project: Path
) -> None:
    table(project, 'app = "nope:app"\nport = 1\nheader = ["x-from:project"]\n')
    variables = {"UVICORN_HEADERS": "x-from:variable"}
    server = launch("main:app", "--port=0", cwd=project, env=variables)
    assert answer(server.wait_until_ready()).headers["x-from"] == "variable"


def test_an_address_of_the_command_line_wins_over_others_around_it(
    launch: Start, project: Path
) -> None:
    table(project, f'app = "main:app"\nuds = "{project}/app.sock"\n')
    env = {"UVICORN_PORT": "1"}
    server = launch("--bind=127.0.0.1:0", cwd=project, env=env).wait_until_ready()
    assert answer(server).status == 200
    assert not (project / "app.sock").exists()


def test_addresses_of_one_source_that_contradict_each_other(project: Path) -> None:
    env = {"SMOLCORN_BINDS": ":0", "SMOLCORN_PORT": "1"}
    done = call(project, "main:app", **env)
    assert done.returncode == 2
    assert (
        "Option '--bind' (env var: 'SMOLCORN_BINDS') cannot be combined with '--port' "
        "(env var: 'SMOLCORN_PORT')." in done.stderr
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "prot = 1\n",
            "[tool.smolcorn] of pyproject.toml: No such option 'prot'. "
            "Did you mean 'port'?",
        ),
        (
            "port = 99999\n",
            "[tool.smolcorn] of pyproject.toml: Invalid value for 'port': "
            "99999 is not in the range 0<=x<=65535.",
        ),
    ],
)
def test_a_table_that_means_nothing(project: Path, text: str, error: str) -> None:
    table(project, text)
    done = call(project, "main:app")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"Error: {error}"
    assert call(project, "--version").returncode == 0


def test_no_toml_at_all(project: Path) -> None:
    table(project, "port =\n")
    done = call(project, "main:app")
    assert done.returncode == 2
    assert "Error: pyproject.toml, line 2: " in done.stderr


def test_print_config_says_who_set_what(project: Path) -> None:
    table(project, 'app = "main:app"\nbacklog = 5\n')
    (project / "late").write_text("FORWARDED_ALLOW_IPS='10.0.0.1'\n")
    done = call(
        project,
        "--print-config",
        "--port=1",
        "--env-file=late",
        "--header=a:b",
        "--header=c:\\d",
        UVICORN_FACTORY="yes",
        SMOLCORN_HOST="::1",
        WEB_CONCURRENCY="1",
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "[tool.smolcorn]"
    for line in (
        'app = "main:app" # pyproject.toml',
        "backlog = 5 # pyproject.toml",
        "port = 1 # command line",
        'host = "::1" # SMOLCORN_HOST',
        "factory = true # UVICORN_FACTORY",
        'header = ["a:b", "c:\\\\d"] # command line',
        "workers = 1 # WEB_CONCURRENCY",
        'forwarded-allow-ips = "10.0.0.1" # FORWARDED_ALLOW_IPS',
        "timeout-head = 30 # default",
        "access-log = true # default",
        "# uds is not set",
    ):
        assert line in lines


def test_what_it_prints_can_be_read_again(project: Path) -> None:
    first = call(project, "--print-config", "main:app", "--root-path=/\"é'\\")
    (project / "pyproject.toml").write_text(first.stdout)
    second = call(project, "--print-config")
    assert second.returncode == 0, second.stderr

    def values(text: str) -> list[str]:
        return [line.split("  #")[0].rstrip() for line in text.splitlines()]

    assert values(second.stdout) == values(first.stdout)


def test_it_complains_of_what_would_not_serve(project: Path) -> None:
    assert call(project, "--print-config", "--port=x").returncode == 2
    done = call(project, "--print-config", WEB_CONCURRENCY="abc")
    assert (done.returncode, done.stdout) == (2, "")


def test_of_several_env_files_the_later_one_wins(launch: Start, project: Path) -> None:
    (project / "one").write_text("TEST_VALUE=1\nA=1\n")
    (project / "two").write_text('export TEST_VALUE="${A}2" # two\nno such line!\n')
    files = ("--env-file", "one", "--env-file", "two")
    server = launch("main:app", "--port=0", *files, cwd=project).wait_until_ready()
    assert "INFO:     Loading environment from 'two'" in server.stderr.lines
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"12"


ENV_FILES = [
    "A=b\nB = c d \nC=\nD\n# comment\n\n  export E=f\n",
    "A=\"b\nc\"\nB='d\ne'\n",
    "A=b #c\nB=b#c\nC=#c\nD= # c\nE='f' # g\nF=\"g\"#h\n",
    "A=\"b\\\"c\\n\\t\\\\d\\x\\$\"\nB='c\\'d\\n\\\\'\n",
    "A=1\nB=${A}2${NO}${NO:-3}${A:-4}\nC='${A}'\nD=${NO\nE=$A\nF=${:-x}\n",
    "=x\nA=1\n'B'=2\n'C=3\nD='e'f\nE=4\n",
    'A="b\nB=c\n',
    "A=1\r\nB=2\rC=3\n",
    "export=1\nexportA=2\nexport B\nA-B.C=3\nA B=4\n",
    "A=é\nB='日本'\n\u00a0C=1\nD=\u00a0x\u00a0\n",
    "A==b\nB=c=d\nC='d'='e'\n",
    "A=1\nA=2\nB=${A}\nPATH=none\nC=${PATH}\n",
    "A='C:\\dir\\'\nB='x\\'\nC='y'\nD=\"a\\\\\"\nE=\"b\"\nF= #c\nG=\t# d\n",
    "A='a\\'\nB=1\n",
    'A="a\\\nb"\nB=1\n',
    "A=b\\n\nB='\\n'\nC=\"\\u0041\\101\"\n",
]


@pytest.mark.parametrize("text", ENV_FILES)
def test_env_files_are_read_as_python_dotenv_reads_them(
    text: str, tmp_path: Path
) -> None:
    dotenv = pytest.importorskip("dotenv")
    core = pytest.importorskip("smolcorn._core")
    path = tmp_path / "variables"
    path.write_bytes(text.encode())
    theirs = dotenv.main.DotEnv(path, interpolate=True, override=False).dict()
    ours, _ = core.read_env_file(str(path), [])
    assert dict(ours) == {
        name: value for name, value in theirs.items() if value is not None
    }
    assert os.environ["PATH"] != "none"
