from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smolcorn import hints
from smolcorn.importer import ImportFromStringError, import_from_string


def hint(app: str, app_dir: Path | None) -> str:
    with pytest.raises(ImportFromStringError) as caught:
        import_from_string(app)
    return hints.of(caught.value, app, None if app_dir is None else str(app_dir))


@pytest.mark.parametrize(
    ("app", "meant"),
    [
        ("hint_main.py", "hint_main:app"),
        ("hint_main.py:api", "hint_main:api"),
        ("./hint_main.py", "hint_main:app"),
        ("inner/hint_other.py:app", "inner.hint_other:app"),
        ("inner/hint_other", "inner.hint_other:app"),
        ("hint_mian:app", "hint_main:app"),
    ],
)
def test_a_module_that_was_meant(tmp_path: Path, app: str, meant: str) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "hint_main.py").touch()
    (tmp_path / "inner" / "hint_other.py").touch()
    assert hint(app, tmp_path) == f' Did you mean "{meant}"?'


def test_an_attribute_that_was_left_out(write_module: Any, tmp_path: Path) -> None:
    write_module("hint_alone", "app = 1\n")
    assert hint("hint_alone", tmp_path) == ' Did you mean "hint_alone:app"?'
    assert hint("hint_nowhere", tmp_path) == ""


@pytest.mark.parametrize(
    ("app", "meant"),
    [
        ("hint_dot.app", "hint_dot:app"),
        ("hint_dot.made", "hint_dot:made"),
        ("hint_dot.application", None),
        ("hint_site.asgi", "hint_site.asgi:application"),
        ("hint_site.asgi.application", "hint_site.asgi:application"),
        ("hint_site.nope", None),
        ("hint_dot", "hint_dot:app"),
    ],
)
def test_a_dot_in_the_place_of_the_colon(
    write_module: Any, tmp_path: Path, app: str, meant: str | None
) -> None:
    write_module("hint_dot", "def made(): ...\nif made: app = 1\n1 / 0\n")
    (tmp_path / "hint_site").mkdir()
    (tmp_path / "hint_site" / "asgi.py").write_text("application = 1\n")
    (tmp_path / "hint_site" / "__init__.py").touch()
    assert hint(app, tmp_path) == (f' Did you mean "{meant}"?' if meant else "")


def test_an_application_is_meant_before_what_is_a_little_alike(
    write_module: Any,
) -> None:
    write_module("hint_usual", "application = 1\nnopes = hope = 2\n")
    for given, meant in (("nope", "nopes"), ("rope", "application")):
        found = hint(f"hint_usual:{given}", None)
        assert found == f' Did you mean "hint_usual:{meant}"?'


def test_where_a_module_was_looked_for(tmp_path: Path) -> None:
    looked = (
        f" It is neither in '{tmp_path}' nor installed; --app-dir names another folder."
    )
    assert hint("zzz_qqq:app", tmp_path) == looked
    assert hint("zzz.qqq:app", tmp_path) == looked
    assert hint("zzz_qqq:app", None) == ""
    nowhere = tmp_path / "nowhere"
    assert (
        hint("zzz_qqq:app", nowhere) == f" There is no folder '{nowhere}' (--app-dir)."
    )


def test_a_file_whose_name_is_no_text_is_not_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As systems show it that do not ask names to be text."""
    monkeypatch.setattr(
        Path, "iterdir", lambda folder: iter([folder / "hint_\udcff.py"])
    )
    assert "Did you mean" not in hint("hint_x:app", tmp_path)


def test_a_folder_that_cannot_be_read_gives_no_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert hint("hint_x:app", tmp_path) == ""


def test_a_name_too_long_for_a_file_gives_no_hint(tmp_path: Path) -> None:
    assert hint(f"{'x' * 5000}/y.py", tmp_path) == ""


@pytest.mark.parametrize(
    ("attribute", "meant"),
    [("appp", "app"), ("main", "app"), ("Space.inne", "Space.inner")],
)
def test_an_attribute_that_was_meant(
    write_module: Any, attribute: str, meant: str
) -> None:
    write_module("hint_attribute", "app = 1\nclass Space: inner = 2\n")
    found = hint(f"hint_attribute:{attribute}", None)
    assert found == f' Did you mean "hint_attribute:{meant}"?'


def test_which_module_has_no_such_attribute(write_module: Any) -> None:
    write_module("hint_empty", "")
    found = hint("hint_empty:app", None)
    assert found.startswith(" The module is '")
    assert found.endswith("hint_empty.py'.")


def test_a_traceback_begins_with_the_users_code(write_module: Any) -> None:
    write_module("hint_raises", "1 / 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        import_from_string("hint_raises:app")
    # The first frame is this test's own.
    caught.value.__traceback__ = caught.value.__traceback__.tb_next  # type: ignore[union-attr]
    shown = hints.without_our_frames(caught.value).__traceback__
    assert shown is not None and shown.tb_next is None
    assert shown.tb_frame.f_globals["__name__"] == "hint_raises"


def test_a_syntax_error_needs_no_frames(write_module: Any) -> None:
    write_module("hint_syntax", "def app(:\n")
    with pytest.raises(SyntaxError) as caught:
        import_from_string("hint_syntax:app")
    caught.value.__traceback__ = caught.value.__traceback__.tb_next  # type: ignore[union-attr]
    assert hints.without_our_frames(caught.value).__traceback__ is None


def test_an_error_of_the_server_itself_keeps_its_frames() -> None:
    with pytest.raises(AttributeError) as caught:
        hints.of(None, "x:y", None)  # type: ignore[arg-type]
    caught.value.__traceback__ = caught.value.__traceback__.tb_next  # type: ignore[union-attr]
    before = caught.value.__traceback__
    assert before is not None
    assert hints.without_our_frames(caught.value).__traceback__ is before
