"""Loops whose tasks begin otherwise, and applications that look at their tasks."""

import asyncio
from typing import Any

from apps.asgi import answer
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


class SilentLoop(asyncio.SelectorEventLoop):
    """A loop that does not say which factory it has."""

    def get_task_factory(self) -> Any:
        raise NotImplementedError
