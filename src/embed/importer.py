"""Imports the package smolcorn out of the binary that embeds this interpreter.

Runs once, before anything else is imported. It knows where the modules are and nothing of what
is in them. Neither does it import what it can do without: all of it is time at each start.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import BuiltinImporter, ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Protocol

CORE = "smolcorn._core"
"""The extension module, which is compiled into the binary."""


class Package(Protocol):
    """What the binary carries (package.rs)."""

    def modules(self) -> dict[str, bool]:
        """The names of all modules, each with whether it has submodules."""

    def source(self, fullname: str) -> bytes:
        """The text of a module."""

    def bytecode(self, fullname: str) -> bytes:
        """What its `.pyc` file would hold; empty if it has not been compiled."""


class BinaryLoader(SourceFileLoader):
    """Loads a module as if it were a file below the binary, and its `.pyc` file beside it. Like
    any other, that one counts only if this Python has made it."""

    def __init__(self, fullname: str, path: str, package: Package) -> None:
        super().__init__(fullname, path)
        self._package = package

    def get_data(self, path: str) -> bytes:
        """The text, of which tracebacks show lines; or what would be in the cache."""
        if path == self.path:
            return self._package.source(self.name)
        # With optimization there is another cache.
        if not sys.flags.optimize and (data := self._package.bytecode(self.name)):
            return data
        raise FileNotFoundError(path)

    def path_stats(self, path: str) -> dict[str, int]:
        """What the cache is held against. It is told to be valid without that."""
        return {"mtime": 0, "size": 0}

    def set_data(self, path: str, data: object, *, _mode: int = 0) -> None:
        """Writes no cache: there is no such folder."""


class BinaryFinder:
    """Finds the modules that the binary carries."""

    def __init__(self, binary: str, package: Package) -> None:
        self._binary = binary
        self._package = package
        self._modules = package.modules()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The module, if it is one of ours; what else there is, others find."""
        if fullname == CORE:
            return BuiltinImporter.find_spec(CORE)
        is_package = self._modules.get(fullname)
        if is_package is None:
            return None
        filename = self._filename(fullname, is_package)
        loader = BinaryLoader(fullname, filename, self._package)
        spec = ModuleSpec(fullname, loader, origin=filename, is_package=is_package)
        # Gives the module a __file__, by which logging and tracebacks name it.
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(filename))
        return spec

    def _filename(self, fullname: str, is_package: bool) -> str:
        """A path below the binary, as zipimport gives one below the archive."""
        parts = fullname.split(".")
        if is_package:
            parts.append("__init__")
        return os.path.join(self._binary, *parts) + ".py"


def install(binary: str, package: Package) -> None:
    """Makes the binary the first place where imports are looked for."""
    sys.meta_path.insert(0, BinaryFinder(binary, package))
    if sys.version_info < (3, 13):
        # The interpreter's own hook reads lines from files only, and ours are none.
        sys.excepthook = traceback.print_exception
