"""What a server imports before it serves. Each module that it does without is time between the
start and the first answer."""

import subprocess

import pytest

from conftest import Start
from harness.server import environment

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

NEEDLESS = {
    "argparse",
    "configparser",
    "csv",
    "ctypes",
    "dataclasses",
    "email",
    "html",
    "http",
    "importlib.metadata",
    "importlib.resources",
    "ipaddress",
    "json",
    "logging.config",
    "logging.handlers",
    "multiprocessing",
    "pathlib",
    "pickle",
    "platform",
    "random",
    "shutil",
    "socketserver",
    "tempfile",
    "tomllib",
    "urllib.parse",
    "uuid",
    "xml",
    "yaml",
    "zipfile",
}
"""What some server needs, or some library likes to import, and a plain one does without. It may
be there where asyncio itself, or what the environment runs at each start, imports it."""

FOR_OTHERS = {
    "smolcorn.api",
    "smolcorn.compat",
    "smolcorn.options",
    "smolcorn.preload",
    "smolcorn.ssl_context",
    "smolcorn.stacks",
    "smolcorn.testing",
    "smolcorn.values",
    "smolcorn.workers",
    "smolcorn.wsgi",
}
"""Modules of ours that are for programs, or for other servers than plain ones."""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_plain_server_imports_nothing_needless(start: Start, loop: str) -> None:
    server = start("apps.modules:app", "--loop", loop)
    with server.connect() as wire:
        python, *modules = wire.send(REQUEST).response().body.decode().splitlines()
    assert "smolcorn.server" in modules
    there_anyway = subprocess.run(
        [python, "-c", f"import asyncio, {loop}, sys; print(*sys.modules, sep='\\n')"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    imported = {*modules}.difference(there_anyway)
    assert imported & (NEEDLESS | FOR_OTHERS) == set()
    assert ("uvloop" in modules) == (loop == "uvloop")
