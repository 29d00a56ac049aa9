"""Lets programs that import uvicorn run on smolcorn without an edit.

`install()` puts `smolcorn.compat.uvicorn` in the place of `uvicorn`;
`python -m smolcorn.compat TOOL ARGUMENTS` runs a tool so, and its child processes too.
There Hypercorn's `serve()` is ours as well, for tools that know no other server.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any


def install() -> None:
    """Makes every later `import uvicorn`, and of its submodules, mean smolcorn's.

    Modules that have imported the real one keep it. May be called again.
    """
    _install("uvicorn")
    importlib.import_module("uvicorn")


def install_serve() -> None:
    """Has `hypercorn.asyncio.serve` serve by smolcorn, where Hypercorn is installed."""
    _install("hypercorn.asyncio")


def _install(alias: str) -> None:
    finders = [finder for finder in sys.meta_path if isinstance(finder, _Finder)]
    if not any(finder.alias == alias for finder in finders):
        sys.meta_path.insert(0, _Finder(alias))
    target = f"{__name__}.{alias}"
    for name in [*sys.modules]:
        if name == alias or name.startswith(f"{alias}."):
            if not getattr(sys.modules[name], "__name__", "").startswith(target):
                del sys.modules[name]


def install_in_children() -> None:
    """Has Python processes that this one starts do the same, by PYTHONPATH."""
    folder = str(Path(__file__).parent / "site")
    before = os.environ.get("PYTHONPATH", "")
    if folder not in before.split(os.pathsep):
        parts = [folder, before] if before else [folder]
        os.environ["PYTHONPATH"] = os.pathsep.join(parts)


class _Finder(MetaPathFinder):
    """Finds our modules under the names of another package."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != self.alias and not fullname.startswith(f"{self.alias}."):
            return None
        own = f"{__name__}.{fullname}"
        try:
            found = importlib.util.find_spec(own)
        except ModuleNotFoundError:
            return None
        if found is None:
            return None
        is_package = found.submodule_search_locations is not None
        return ModuleSpec(
            fullname, _Loader(own), origin=found.origin, is_package=is_package
        )


class _Loader(Loader):
    """Gives our module itself, so that there is only one of each."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._own)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It has been executed; only its spec has been replaced meanwhile.
        module.__spec__ = self._spec

    def get_code(self, fullname: str) -> CodeType | None:
        """For `python -m`."""
        spec = importlib.util.find_spec(self._own)
        loader: Any = None if spec is None else spec.loader
        code: CodeType | None = loader.get_code(self._own)
        return code
