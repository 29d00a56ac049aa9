"""Runs every example of docs/python-api.md."""

import importlib.metadata
import signal
from pathlib import Path

import pytest

from harness.document import blocks
from harness.wheel import needs_the_wheel

needs_the_wheel()

from harness.tool import Tool  # noqa: E402

APP, *EXAMPLES = blocks("python-api.md", "python")

IS_INSTALLED = any(
    entry.name == "smolcorn"
    for entry in importlib.metadata.entry_points(group="pytest11")
)
"""Then pytest finds the plugin by itself."""


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number: int, tmp_path: Path) -> None:
    source = EXAMPLES[number]
    assert APP.startswith("# main.py\n")
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "test_example.py").write_text(source)
    run = ("test_example.py",)
    if "def test_" in source:
        plugin = () if IS_INSTALLED else ("-p", "smolcorn.pytest_plugin")
        run = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *run)
    with Tool(tmp_path, *run) as tool:
        if ".run(" in source and '__name__ == "__main__"' in source:
            tool.url()
            tool.process.send_signal(signal.SIGINT)
        status = tool.wait()
        tool.stdout.wait_for_end()
        tool.stderr.wait_for_end()
    assert status == 0, tool.stdout.text + tool.stderr.text


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9
