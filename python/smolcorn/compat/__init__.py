"""Lets programs that import uvicorn run on smolcorn without an edit.

`install()` puts `smolcorn.compat.uvicorn` in the place of `uvicorn`;
`python -m smolcorn.compat TOOL ARGUMENTS` runs a tool so, and its child processes too.
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

_ALIAS = "uvicorn"
_TARGET = f"{__name__}.uvicorn"


def install() -> None:
    """Makes every later `import uvicorn`, and of its submodules, mean smolcorn's.

    Modules that have imported the real one keep it. May be called again.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name in [*sys.modules]:
        if name == _ALIAS or name.startswith(f"{_ALIAS}."):
            if not getattr(sys.modules[name], "__name__", "").startswith(_TARGET):
                del sys.modules[name]
    importlib.import_module(_ALIAS)


def install_in_children() -> None:
    """Has Python processes that this one starts do the same, by PYTHONPATH."""
    folder = str(Path(__file__).parent / "site")
    before = os.environ.get("PYTHONPATH", "")
    if folder not in before.split(os.pathsep):
        parts = [folder, before] if before else [folder]
        os.environ["PYTHONPATH"] = os.pathsep.join(parts)


class _Finder(MetaPathFinder):
    """Finds our modules under uvicorn's names."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != _ALIAS and not fullname.startswith(f"{_ALIAS}."):
            return None
        own = _TARGET + fullname.removeprefix(_ALIAS)
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
