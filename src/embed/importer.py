"""Imports the package smolcorn out of the binary that embeds this interpreter.

Runs once, before anything else is imported. It knows where the modules are and nothing of what
is in them.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import BuiltinImporter, ModuleSpec
from types import ModuleType

CORE = "smolcorn._core"
"""The extension module, which is compiled into the binary."""


class BinaryImporter(MetaPathFinder, ExecutionLoader):
    """Finds and loads the modules that the binary carries."""

    def __init__(self, binary: str, modules: Mapping[str, tuple[bool, str]]) -> None:
        self._binary = binary
        self._modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The module, if it is one of ours; what else there is, others find."""
        if fullname == CORE:
            return BuiltinImporter.find_spec(CORE)
        if fullname not in self._modules:
            return None
        filename = self.get_filename(fullname)
        spec = ModuleSpec(
            fullname, self, origin=filename, is_package=self.is_package(fullname)
        )
        # Gives the module a __file__, by which logging and tracebacks name it.
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(filename))
        return spec

    def get_source(self, fullname: str) -> str:
        """The text, of which tracebacks show lines."""
        return self._module(fullname)[1]

    def get_filename(self, fullname: str) -> str:
        """A path below the binary, as zipimport gives one below the archive."""
        parts = fullname.split(".")
        if self.is_package(fullname):
            parts.append("__init__")
        return os.path.join(self._binary, *parts) + ".py"

    def is_package(self, fullname: str) -> bool:
        """Whether it has submodules."""
        return self._module(fullname)[0]

    def _module(self, fullname: str) -> tuple[bool, str]:
        try:
            return self._modules[fullname]
        except KeyError:
            message = f"{self._binary} carries no module {fullname!r}"
            raise ImportError(message, name=fullname) from None


def install(
    binary: str | os.PathLike[str], modules: Mapping[str, tuple[bool, str]]
) -> None:
    """Makes the binary the first place where imports are looked for."""
    sys.meta_path.insert(0, BinaryImporter(os.fspath(binary), modules))
    if sys.version_info < (3, 13):
        # The interpreter's own hook reads lines from files only, and ours are none.
        sys.excepthook = traceback.print_exception
