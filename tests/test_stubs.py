"""The stub of the native module says what the native module has."""

import os
import subprocess
import sys
from pathlib import Path

from harness.wheel import needs_the_wheel

needs_the_wheel()

import smolcorn  # noqa: E402

CHECK_SECONDS = 300


def test_names_and_parameters_are_the_same(tmp_path: Path) -> None:
    # Nobody imports everything from it.
    (tmp_path / "allowed").write_text("smolcorn._core.__all__\n")
    command = ("-m", "mypy.stubtest", "--allowlist", "allowed", "smolcorn._core")
    checked = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(smolcorn.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=CHECK_SECONDS,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "no issues found" in checked.stdout
