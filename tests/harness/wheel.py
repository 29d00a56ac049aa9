"""Tests of the package in programs, for which it must be installed."""

import pytest

from harness.server import is_binary


def needs_the_wheel() -> None:
    """Skips the module that says so where the package is missing, or the binary is tested."""
    pytest.importorskip("smolcorn._core", reason="the package is not installed")
    if is_binary():
        pytest.skip("the package is tested with the wheel", allow_module_level=True)
