"""`--reload`: what is noticed, and how often."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Placement, Start
from harness.project import (
    Project,
    answer,
    detected,
    source,
    wait_until_detected,
    wait_until_ready,
)
from harness.server import Server

# Long enough that nothing interrupts a burst on a busy machine.
ONE_BURST = ("--reload-delay", "1.5")

Serve = Callable[..., Server]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path.resolve())


@pytest.fixture
def serve(launch: Start, project: Project) -> Serve:
    """Serves the project with `--reload`, and waits until its first worker is ready."""

    def serve_project(*options: str, **settings: object) -> Server:
        arguments = ("main:app", "--port", "0", "--reload", *options)
        server = launch(*arguments, **{"cwd": project.root, **settings})
        server.wait_until_ready()
        wait_until_ready(server, 1)
        return server

    return serve_project


def test_new_code_is_served(
    serve: Serve, project: Project, placement: Placement
) -> None:
    server = serve(*placement.options)
    assert answer(server) == "one"
    # All in one second, and of one size.
    for number, version in enumerate(["two", "six", "ten", "one"], start=2):
        project.save(version)
        assert wait_until_detected(server, number - 1) == "'main.py'"
        wait_until_ready(server, number)
        assert answer(server) == version


def test_lines(serve: Serve, project: Project) -> None:
    server = serve()
    lines = server.stderr.lines
    assert lines[:3] == [
        f"INFO:     Will watch for changes in these directories: ['{project.root}']",
        f"INFO:     Smolcorn running on http://127.0.0.1:{server.port} (Press CTRL+C to quit)",
        f"INFO:     Started reloader process [{server.pid}] using FileEvents",
    ]
    assert sum("running on" in line for line in lines) == 1


# --- Editors --------------------------------------------------------------------------------------


def write_in_place(path: Path, text: str) -> None:
    path.write_text(text)


def rename_over(path: Path, text: str) -> None:
    temporary = path.with_name(".main.py.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def rename_away_and_create(path: Path, text: str) -> None:
    """As vim does, which tries first whether it can create files."""
    path.with_name("4913").write_text("")
    path.with_name("4913").unlink()
    backup = path.with_name("main.py~")
    path.rename(backup)
    path.write_text(text)
    backup.unlink()


def rename_twice(path: Path, text: str) -> None:
    """As JetBrains' editors do."""
    new, old = (
        path.with_name("main.py___jb_tmp___"),
        path.with_name("main.py___jb_old___"),
    )
    new.write_text(text)
    path.rename(old)
    new.rename(path)
    old.unlink()


def remove_and_create(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def piece_by_piece(path: Path, text: str) -> None:
    with path.open("w") as file:
        for line in text.splitlines(keepends=True):
            file.write(line)
            file.flush()


@pytest.mark.parametrize(
    "save",
    [
        write_in_place,
        rename_over,
        rename_away_and_create,
        rename_twice,
        remove_and_create,
        piece_by_piece,
    ],
)
def test_every_way_of_saving_restarts_once(
    serve: Serve, project: Project, save: Callable[[Path, str], None]
) -> None:
    server = serve(*ONE_BURST)
    save(project.path("main.py"), source("two"))
    assert wait_until_detected(server, 1) == "'main.py'"
    wait_until_ready(server, 2)
    assert answer(server) == "two"
    project.save("three")
    wait_until_detected(server, 2)
    wait_until_ready(server, 3)
    assert answer(server) == "three"
    assert detected(server) == ["'main.py'"] * 2


def test_touching_a_file_restarts(serve: Serve, project: Project) -> None:
    server = serve()
    project.path("main.py").touch()
    assert wait_until_detected(server, 1) == "'main.py'"


def test_burst_restarts_once(serve: Serve, project: Project) -> None:
    server = serve(*ONE_BURST)
    for number in range(40):
        project.write(f"package/module_{number:02}.py", "x = 1\n")
    project.save("two")
    said = wait_until_detected(server, 1)
    assert said.startswith("'main.py', 'package/module_00.py', ")
    assert said.endswith(" and 31 more")
    wait_until_ready(server, 2)
    assert answer(server) == "two"
    assert len(detected(server)) == 1


def test_file_that_comes_and_goes_is_no_change(serve: Serve, project: Project) -> None:
    server = serve(*ONE_BURST)
    project.write("temporary.py")
    project.path("temporary.py").unlink()
    project.save("two")
    assert wait_until_detected(server, 1) == "'main.py'"


def test_removing_a_file_restarts(serve: Serve, project: Project) -> None:
    project.write("other.py")
    server = serve()
    project.path("other.py").unlink()
    assert wait_until_detected(server, 1) == "'other.py'"


# --- Folders --------------------------------------------------------------------------------------


def test_new_folders_are_watched(serve: Serve, project: Project) -> None:
    server = serve()
    project.write("a/b/new.py")
    assert wait_until_detected(server, 1) == "'a/b/new.py'"
    wait_until_ready(server, 2)
    project.write("a/b/newer.py")
    assert wait_until_detected(server, 2) == "'a/b/newer.py'"


def test_folder_that_is_renamed_is_watched_on(serve: Serve, project: Project) -> None:
    project.write("a/module.py")
    server = serve(*ONE_BURST)
    os.rename(project.path("a"), project.root / "z")
    assert wait_until_detected(server, 1) == "'a/module.py', 'z/module.py'"
    wait_until_ready(server, 2)
    project.write("z/module.py", "x = 1\n")
    assert wait_until_detected(server, 2) == "'z/module.py'"


def test_folder_that_is_replaced_is_watched_on(serve: Serve, project: Project) -> None:
    project.write("a/module.py")
    server = serve(*ONE_BURST)
    shutil.rmtree(project.root / "a")
    project.write("a/module.py")
    assert wait_until_detected(server, 1) == "'a/module.py'"
    wait_until_ready(server, 2)
    project.write("a/module.py", "x = 1\n")
    assert wait_until_detected(server, 2) == "'a/module.py'"


POLLING = pytest.mark.parametrize(
    "polling", [(), ("--reload-polling",)], ids=["events", "polling"]
)


@POLLING
def test_what_nobody_wants_to_see_is_ignored(
    serve: Serve, project: Project, polling: tuple[str, ...]
) -> None:
    project.write(".gitignore", "/generated/\nlocal_*.py\n!local_kept.py\n")
    project.write("package/.gitignore", "cache\n")
    project.write("env/pyvenv.cfg", "home = /usr/bin\n")
    server = serve(*ONE_BURST, *polling)
    for name in (
        ".git/hooks/x.py",
        ".venv/x.py",
        "env/lib/x.py",
        "node_modules/m/x.py",
        "package/__pycache__/x.py",
        "package/cache/x.py",
        "generated/x.py",
        "local_x.py",
        "made_now/pyvenv.cfg",
        "made_now/lib/x.py",
        "data.txt",
        ".hidden.py",
        "package/.x.py.swp",
    ):
        project.write(name, "x = 1\n")
    project.write("local_kept.py")
    project.write("package/generated/x.py")
    assert wait_until_detected(server, 1) == "'local_kept.py', 'package/generated/x.py'"


def test_gitignore_that_changes_counts_from_then_on(
    serve: Serve, project: Project
) -> None:
    project.write("generated/x.py")
    server = serve(*ONE_BURST)
    project.write(".gitignore", "generated/\n")
    project.write("sign.py")
    assert wait_until_detected(server, 1) == "'sign.py'"
    wait_until_ready(server, 2)
    project.write("generated/x.py", "x = 1\n")
    project.write("sign.py", "x = 1\n")
    assert wait_until_detected(server, 2) == "'sign.py'"


# --- Options --------------------------------------------------------------------------------------


def test_polling_sees_the_same(serve: Serve, project: Project) -> None:
    server = serve("--reload-polling", *ONE_BURST)
    assert f"Started reloader process [{server.pid}] using FilePolling" in (
        server.stderr.text
    )
    project.save("two")
    project.write("new/module.py")
    assert wait_until_detected(server, 1) == "'main.py', 'new/module.py'"
    wait_until_ready(server, 2)
    assert answer(server) == "two"


def test_includes_and_excludes(serve: Serve, project: Project) -> None:
    for name in ("static", "drafts"):
        project.path(name).mkdir()
    server = serve(
        *ONE_BURST,
        *("--reload-include", "*.html", "--reload-include", ".env"),
        *("--reload-exclude", "test_*.py", "--reload-exclude", "drafts"),
    )
    for name in (
        "static/a.html",
        ".env",
        "test_x.py",
        "drafts/x.py",
        "static/a.css",
        "x.env",
    ):
        project.write(name)
    assert wait_until_detected(server, 1) == "'.env', 'static/a.html'"


def test_only_the_given_folders_are_watched(serve: Serve, project: Project) -> None:
    for name in ("a", "b", "b/c", "d"):
        project.path(name).mkdir(exist_ok=True)
    server = serve(*ONE_BURST, "--reload-dir", "b", "--reload-dir", "a")
    root = project.root
    assert server.stderr.lines[0] == (
        "INFO:     Will watch for changes in these directories: "
        f"['{root}/a', '{root}/b']"
    )
    for name in ("d/x.py", "x.py", "b/c/x.py"):
        project.write(name)
    assert wait_until_detected(server, 1) == "'b/c/x.py'"


def test_folder_that_the_user_names_is_watched_though_it_is_ignored(
    serve: Serve, project: Project
) -> None:
    project.write(".git/HEAD")
    project.write(".gitignore", "build\n")
    project.path("build").mkdir()
    server = serve("--reload-dir", "build")
    project.write("build/x.py")
    assert wait_until_detected(server, 1) == "'build/x.py'"


def test_options_come_from_the_environment(serve: Serve, project: Project) -> None:
    server = serve(
        env={
            "UVICORN_RELOAD_INCLUDES": "*.toml *.ini",
            "UVICORN_RELOAD_EXCLUDES": "main.py",
            "UVICORN_RELOAD_DELAY": "1.5",
        },
    )
    for name in ("a.toml", "b.ini", "main.py"):
        project.write(name, source("two") if name == "main.py" else "")
    assert wait_until_detected(server, 1) == "'a.toml', 'b.ini'"


def test_folder_that_is_a_file(serve: Serve, project: Project) -> None:
    server = serve("--reload-dir", "main.py")
    assert server.stderr.lines[:2] == [
        "WARNING:  Provided reload directories ['main.py'] did not contain valid "
        "directories, watching current working directory.",
        f"INFO:     Will watch for changes in these directories: ['{project.root}']",
    ]


def test_workers_are_ignored(serve: Serve, project: Project) -> None:
    server = serve("--workers", "3")
    assert server.stderr.lines[0] == (
        'WARNING:  "workers" flag is ignored when reloading is enabled.'
    )
    project.save("two")
    wait_until_ready(server, 2)
    assert answer(server) == "two"


def test_options_of_reloading_without_it(launch: Start, project: Project) -> None:
    server = launch(
        *("main:app", "--port", "0", "--reload-include", "*.html"), cwd=project.root
    ).wait_until_ready()
    assert server.stderr.lines[0] == (
        "WARNING:  Nothing will reload: --reload-dir, --reload-include and "
        "--reload-exclude mean nothing without --reload."
    )
    assert answer(server) == "one"
