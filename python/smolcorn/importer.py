"""Import strings: `<module>:<attribute>`, the attribute possibly dotted."""

from __future__ import annotations

import importlib
from typing import Any, Literal


class ImportFromStringError(Exception):
    """The import string is malformed, or names nothing."""

    missing: Literal["format", "module", "attribute"]
    """What of it is wrong."""

    def __init__(
        self, text: str, missing: Literal["format", "module", "attribute"] = "format"
    ) -> None:
        super().__init__(text)
        self.missing = missing


def import_from_string(import_str: Any) -> Any:
    """Returns the object that `import_str` names; what is not a string, as it is.

    Raises ImportFromStringError if the string is malformed or its module or attribute
    does not exist. What the module itself raises (a missing import of its own, too)
    passes through.
    """
    if not isinstance(import_str, str):
        return import_str
    module_name, _, attributes = import_str.partition(":")
    if not module_name or not attributes or module_name.startswith("."):
        raise ImportFromStringError(
            f'Import string "{import_str}" must be in format "<module>:<attribute>".',
            "format",
        )
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not _is_missing(module_name, error):
            raise
        raise ImportFromStringError(
            f'Could not import module "{module_name}".', "module"
        ) from None
    try:
        for name in attributes.split("."):
            found = getattr(found, name)
    except AttributeError:
        raise ImportFromStringError(
            f'Attribute "{attributes}" not found in module "{module_name}".',
            "attribute",
        ) from None
    return found


def _is_missing(module_name: str, error: ModuleNotFoundError) -> bool:
    """Whether the module itself is not there, or a package around it. Otherwise it, or
    one of these packages, imports something that is not there."""
    if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
        return False
    from smolcorn.hints import own_code

    return error.name == module_name or own_code(error.__traceback__) is None
