"""The files of docs/deploying.md: options that exist, and numbers that fit each other."""

import configparser
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.deadline import DEADLINE_SECONDS
from harness.document import blocks
from harness.server import TESTS, environment, program

PAGE = "deploying.md"
PARENTS_PATIENCE_SECONDS = 7
"""What the parent grants its workers after the graceful timeout (`src/supervisor`)."""

DEPLOYMENT, SERVICE = yaml.safe_load_all(blocks(PAGE, "yaml")[0])
POD = DEPLOYMENT["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
DOCKERFILES = [*blocks(PAGE, "dockerfile"), (TESTS.parent / "Dockerfile").read_text()]


def unit(number: int) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(blocks(PAGE, "ini")[number])
    return parser


def instruction(dockerfile: str, name: str) -> list[str]:
    """The list that the last instruction of this name has."""
    *_, last = re.findall(rf"^{name} (\[.*\])$", dockerfile, re.MULTILINE)
    parts: list[str] = json.loads(last)
    assert all(isinstance(part, str) for part in parts)
    return parts


def commands() -> list[list[str]]:
    """The arguments of every command line of the page, with those in the files."""
    text = (TESTS.parent / "docs" / PAGE).read_text()
    lines = re.findall(r"^    smolcorn (.*)$", text, re.MULTILINE)
    _, *of_unit = shlex.split(unit(1)["Service"]["ExecStart"])
    images = [instruction(dockerfile, "CMD") for dockerfile in DOCKERFILES[:-1]]
    return [*map(shlex.split, lines), of_unit, *images, CONTAINER["args"]]


def settings(arguments: list[str], folder: Path) -> dict[str, Any]:
    """What the program makes of these arguments."""
    done = subprocess.run(
        [*program(), "--print-config", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, ""), arguments
    found = re.findall(r"^([\w-]+) = (.*?) +# ", done.stdout, re.MULTILINE)
    return {name: json.loads(value) for name, value in found}


def seconds_to_the_end(values: dict[str, Any]) -> float:
    """The longest time from SIGTERM to the end of the process."""
    return float(
        values["drain-delay"]
        + values["timeout-graceful-shutdown"]
        + PARENTS_PATIENCE_SECONDS
    )


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_a_command_is_one_that_the_program_takes(
    arguments: list[str], tmp_path: Path
) -> None:
    assert settings(arguments, tmp_path)["app"] == "app:app"


def test_the_page_has_all_of_them() -> None:
    assert len(commands()) >= 7
    assert len(DOCKERFILES) == 3


@pytest.mark.parametrize("dockerfile", DOCKERFILES[:-1], ids=["slim", "scratch"])
def test_an_image_listens_on_the_port_that_it_names(
    dockerfile: str, tmp_path: Path
) -> None:
    values = settings(instruction(dockerfile, "CMD"), tmp_path)
    assert values["host"] == "0.0.0.0"
    assert f"EXPOSE {values['port']}\n" in dockerfile
    # A number: Kubernetes cannot tell of a name whether it is root's.
    assert re.search(r"^USER [1-9]\d*$", dockerfile, re.MULTILINE)
    (entrypoint,) = instruction(dockerfile, "ENTRYPOINT")
    folder = re.findall(r"^WORKDIR (.*)$", dockerfile, re.MULTILINE)[-1]
    assert entrypoint == f"{folder}/.venv/bin/smolcorn"


def test_what_the_images_copy_of_the_checkout_is_there() -> None:
    ignored = (TESTS.parent / ".dockerignore").read_text().split("\n")
    for name in ("Cargo.lock", "Cargo.toml", "actors", "build.rs", "pyproject.toml"):
        assert (TESTS.parent / name).exists() and f"/{name}" not in ignored
    assert {"/target", "/build"} <= {*ignored}


def test_the_pod_is_probed_where_it_answers(tmp_path: Path) -> None:
    values = settings(CONTAINER["args"], tmp_path)
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == values["port"]
    assert values["host"] == "0.0.0.0"
    for probe in ("startupProbe", "readinessProbe"):
        target = CONTAINER[probe]["httpGet"]
        assert target == {"path": values["health-path"], "port": port["name"]}
    assert CONTAINER["livenessProbe"] == {"tcpSocket": {"port": port["name"]}}
    assert SERVICE["spec"]["ports"] == [{"port": 80, "targetPort": port["name"]}]
    assert CONTAINER["securityContext"]["runAsNonRoot"] is True


def test_the_service_finds_the_pods() -> None:
    labels = POD["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert SERVICE["spec"]["selector"] == labels


def test_the_pod_may_take_as_long_as_it_needs_to_end(tmp_path: Path) -> None:
    values = settings(CONTAINER["args"], tmp_path)
    readiness = CONTAINER["readinessProbe"]
    failures = readiness.get("failureThreshold", 3)
    assert values["drain-delay"] > failures * readiness["periodSeconds"]
    patience = POD["spec"]["terminationGracePeriodSeconds"]
    assert patience > seconds_to_the_end(values)


def test_the_unit_may_take_as_long_as_it_needs_to_end(tmp_path: Path) -> None:
    service = unit(1)["Service"]
    _, *arguments = shlex.split(service["ExecStart"])
    values = settings(arguments, tmp_path)
    assert float(service["TimeoutStopSec"]) > seconds_to_the_end(values)
    assert unit(0)["Socket"]["ListenStream"] == "127.0.0.1:8000"


def test_a_unit_that_cannot_start_is_tried_again_without_end() -> None:
    # systemd's own limit is five starts in ten seconds.
    assert 5 * float(unit(1)["Service"]["RestartSec"]) > 10


def test_proxies_end_idle_connections_before_the_server(tmp_path: Path) -> None:
    keep_alive = settings(["app:app"], tmp_path)["timeout-keep-alive"]
    idle = {
        "nginx": r"keepalive_timeout (\d+)s;",
        "haproxy": r"pool-purge-delay (\d+)s",
    }
    for language, pattern in idle.items():
        (text,) = blocks(PAGE, language)
        (seconds,) = re.findall(pattern, text)
        assert int(seconds) < keep_alive
