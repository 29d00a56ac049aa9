from __future__ import annotations

import os
from typing import Any

import pytest

from smolcorn.importer import ImportFromStringError, import_from_string


def test_dotted_attributes_are_walked() -> None:
    assert import_from_string("os:path.join") is os.path.join


def test_only_the_first_colon_divides(write_module: Any) -> None:
    with pytest.raises(ImportFromStringError, match='Attribute "a:b" not found'):
        import_from_string("os:a:b")


def test_an_object_is_returned_as_it_is() -> None:
    thing = object()
    assert import_from_string(thing) is thing


@pytest.mark.parametrize("text", ["app", "app:", ":app", "", ":", ".app:app"])
def test_malformed(text: str) -> None:
    with pytest.raises(ImportFromStringError) as caught:
        import_from_string(text)
    assert str(caught.value) == (
        f'Import string "{text}" must be in format "<module>:<attribute>".'
    )


def test_missing_module() -> None:
    with pytest.raises(ImportFromStringError) as caught:
        import_from_string("nomod_at_all:app")
    assert str(caught.value) == 'Could not import module "nomod_at_all".'


def test_missing_attribute(write_module: Any) -> None:
    write_module("imp_attr", "class ns: pass\n")
    with pytest.raises(ImportFromStringError) as caught:
        import_from_string("imp_attr:ns.nope")
    assert str(caught.value) == 'Attribute "ns.nope" not found in module "imp_attr".'


def test_a_missing_import_of_the_module_itself_passes_through(
    write_module: Any,
) -> None:
    write_module("imp_inner", "import nomod_inside\n")
    with pytest.raises(ModuleNotFoundError, match="nomod_inside"):
        import_from_string("imp_inner:app")


def test_a_missing_package_around_the_module() -> None:
    with pytest.raises(ImportFromStringError) as caught:
        import_from_string("nomod_at_all.inner:app")
    assert str(caught.value) == 'Could not import module "nomod_at_all.inner".'


def test_what_the_module_raises_passes_through(write_module: Any) -> None:
    write_module("imp_raises", "1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        import_from_string("imp_raises:app")
