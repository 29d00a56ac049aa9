"""`python -m smolcorn.compat TOOL ARGUMENTS`: runs a tool with smolcorn in the place of
uvicorn, and of Hypercorn's `serve()`. TOOL is a console script (`fastapi`), a module, or a Python file."""

from __future__ import annotations

import importlib.metadata
import os
import runpy
import sys

from smolcorn import compat

USAGE = """\
Usage: python -m smolcorn.compat TOOL [ARGUMENTS]

Runs TOOL, a console script, a module or a Python file, with smolcorn in the place of
uvicorn.
"""


def main(argv: list[str]) -> object:
    """Runs the tool. What it returns is for `sys.exit`."""
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    compat.install()
    compat.install_serve()
    compat.install_in_children()
    tool = argv[0]
    sys.argv = argv
    if tool.endswith(".py") or os.sep in tool:
        sys.path.insert(0, os.path.dirname(os.path.abspath(tool)))
        runpy.run_path(tool, run_name="__main__")
        return 0
    scripts = importlib.metadata.entry_points(group="console_scripts", name=tool)
    for script in scripts:
        if tool != "uvicorn":
            return script.load()()
    # As `python -m` does.
    sys.path.insert(0, os.getcwd())
    try:
        runpy.run_module(tool, run_name="__main__", alter_sys=True)
    except ImportError as error:
        if error.name not in (None, tool):
            raise
        print(f"Error: There is no tool '{tool}': {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))  # type: ignore[arg-type]
