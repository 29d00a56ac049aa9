"""Loops whose tasks begin otherwise, and applications that look at their tasks."""

import asyncio
from typing import Any

from apps.asgi import answer, query, read_body, report_as
from apps.routes import Receive, Routes, Scope, Send


class App(Routes):
    """Sets a factory of tasks as its lifespan starts."""

    def __init__(self, factory: Any) -> None:
        super().__init__()
        self.factory = factory
        self.handlers = {"/": self.answer, "/tasks": self.tasks}

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().set_task_factory(self.factory)
        await super().lifespan(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"ok")

    async def tasks(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with what a debugger shows of this task while it runs."""
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        coroutine: Any = task.get_coro()
        frame = task.get_stack()[-1].f_code.co_name
        text = f"{coroutine.__qualname__} {frame} {'AppCall' in repr(task)}"
        await answer(send, text.encode())


class Refused(Exception):
    pass


def refuse(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
    """A factory that makes no tasks for requests."""
    if type(coroutine).__name__ == "AppCall":
        raise Refused("no task for this one")
    return asyncio.Task(coroutine, loop=loop, **options)


plain = App(None)
eager = App(getattr(asyncio, "eager_task_factory", None))
refusing = App(refuse)


class Nesting(App):
    """Runs the loop inside of its tasks."""

    def __init__(self) -> None:
        super().__init__(None)
        self.handlers |= {"/nested": self.nested, "/nested-body": self.nested_body}

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        import nest_asyncio

        nest_asyncio.apply()
        await super().lifespan(scope, receive, send)

    async def nested(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits, in a loop inside of the loop, until another request opens the gate."""
        ticket = query(scope)["ticket"]
        report_as(ticket, "waiting")
        asyncio.get_running_loop().run_until_complete(GATE.wait())
        await answer(send, b"nested")

    async def nested_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        report_as(query(scope)["ticket"], "waiting")
        await answer(send, loop.run_until_complete(read_body(receive)))

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        GATE.set()
        await super().answer(scope, receive, send)


GATE = asyncio.Event()
nesting = Nesting()


class SilentLoop(asyncio.SelectorEventLoop):
    """A loop that does not say which factory it has."""

    def get_task_factory(self) -> Any:
        raise NotImplementedError
