from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from smolcorn import loops
from smolcorn.errors import StartupError


class MyLoop(asyncio.SelectorEventLoop):
    pass


def not_a_loop() -> int:
    return 5


def kind(name: str) -> str:
    loop = loops.loop_factory(name)()
    loop.close()
    return f"{type(loop).__module__}.{type(loop).__name__}"


def test_names() -> None:
    asyncio_loop = "asyncio.unix_events._UnixSelectorEventLoop"
    if sys.platform == "win32":
        asyncio_loop = "asyncio.windows_events.ProactorEventLoop"
    assert kind("asyncio") == asyncio_loop
    assert kind("none") == asyncio_loop
    assert kind(f"{__name__}:MyLoop") == f"{__name__}.MyLoop"


def test_uvloop() -> None:
    pytest.importorskip("uvloop")
    assert kind("uvloop") == kind("auto") == "uvloop.Loop"


def test_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert kind("auto") == kind("asyncio")
    with pytest.raises(StartupError, match="Cannot use the event loop 'uvloop': ") as e:
        loops.loop_factory("uvloop")
    assert e.value.exit_code == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "foo",
            'Import string "foo" must be in format "<module>:<attribute>". '
            "The loops with a name are auto, asyncio, uvloop and none.",
        ),
        ("nomod:foo", 'Could not import module "nomod".'),
        ("os:nope", 'Attribute "nope" not found in module "os".'),
        ("os:sep", '"os:sep" is not callable.'),
    ],
)
def test_unknown_loops(name: str, text: str) -> None:
    with pytest.raises(StartupError) as caught:
        loops.loop_factory(name)
    assert str(caught.value) == f"Error loading custom loop setup function. {text}"
    assert caught.value.exit_code == 3


def test_a_factory_that_returns_no_loop() -> None:
    async def main() -> None: ...

    with pytest.raises(StartupError, match="returned a 'int', not an event loop"):
        loops.run(main, not_a_loop, lambda: False)  # type: ignore[arg-type]


def test_a_loop_that_runs_already_is_told_before_a_coroutine_is_made() -> None:
    loops.refuse_inside_a_loop("run()", "await serve()")

    async def main() -> None:
        loops.refuse_inside_a_loop("run()", "await serve()")

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(main())
    assert str(caught.value) == (
        "run() cannot be called while an event loop runs: use 'await serve()' there."
    )


def test_a_loop_that_lets_others_run_inside_is_let_be() -> None:
    class Nesting(asyncio.SelectorEventLoop):
        _nest_patched = True

    async def main() -> None:
        loops.refuse_inside_a_loop("run()", "await serve()")

    loops.run(main, Nesting, lambda: False)


def test_a_run_ends_what_is_left() -> None:
    ended: list[str] = []

    async def left_over() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    async def generator() -> Any:
        try:
            yield 1
        finally:
            ended.append("generator")

    async def main() -> str:
        main.task = asyncio.create_task(left_over())  # type: ignore[attr-defined]
        main.numbers = generator()  # type: ignore[attr-defined]
        await main.numbers.__anext__()  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, ended.append, "thread")
        return "result"

    assert loops.run(main, asyncio.new_event_loop, lambda: False) == "result"
    assert ended == ["thread", "task", "generator"]


def test_an_error_of_what_is_left_is_reported() -> None:
    reported: list[Any] = []

    async def left_over() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("at the end")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        main.task = asyncio.create_task(left_over())  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    loops.run(main, asyncio.new_event_loop, lambda: False)
    assert [context["message"] for context in reported] == [
        "unhandled exception during shutdown"
    ]


def test_a_task_that_refuses_to_end_does_not_hold_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "CANCEL_SECONDS", 0.01)

    async def refuses() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
            except GeneratorExit:
                return

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(refuses())
        await asyncio.sleep(0)
        return task

    task = loops.run(main, asyncio.new_event_loop, lambda: False)
    assert not task.done()
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_in_a_hurry_threads_are_not_waited_for() -> None:
    import threading

    release = threading.Event()

    async def main() -> None:
        asyncio.get_running_loop().run_in_executor(None, release.wait)

    loops.run(main, asyncio.new_event_loop, lambda: True)
    release.set()
