"""Import strings: `<module>:<attribute>`, the attribute possibly dotted."""

from __future__ import annotations

import importlib
from typing import Any


class ImportFromStringError(Exception):
    """The import string is malformed, or names nothing."""


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
            f'Import string "{import_str}" must be in format "<module>:<attribute>".'
        )
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise ImportFromStringError(
            f'Could not import module "{module_name}".'
        ) from None
    try:
        for name in attributes.split("."):
            found = getattr(found, name)
    except AttributeError:
        raise ImportFromStringError(
            f'Attribute "{attributes}" not found in module "{module_name}".'
        ) from None
    return found
