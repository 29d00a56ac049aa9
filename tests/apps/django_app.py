"""A Django application in one file."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

from apps.asgi import report_as

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    FILE_UPLOAD_MAX_MEMORY_SIZE=100_000,
    LOGGING_CONFIG=None,
)
django.setup()


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        f"{request.method} {request.get_full_path()} {request.META['REMOTE_ADDR']}"
    )


async def asynchronous(request: HttpRequest) -> JsonResponse:
    await asyncio.sleep(0)
    return JsonResponse(
        {"user": request.headers.get("X-User"), "root": request.META["SCRIPT_NAME"]}
    )


def upload(request: HttpRequest) -> JsonResponse:
    files: Any = request.FILES
    return JsonResponse(
        {
            "word": request.POST["word"],
            "files": [
                [f.name, f.size, sum(f.read()) % 256] for f in files.getlist("file")
            ],
        }
    )


def body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(5):
            yield b"%d " % number
            await asyncio.sleep(0)

    return StreamingHttpResponse(pieces())


async def cancelled(request: HttpRequest) -> HttpResponse:
    """Django cancels an asynchronous view when the client leaves."""
    ticket = request.GET["ticket"]
    report_as(ticket, "started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        report_as(ticket, "cancelled")
        raise
    return HttpResponse()


def file(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(open(__file__, "rb"))


def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a bug in the view")


urlpatterns = [
    path("plain", plain),
    path("async", asynchronous),
    path("upload", upload),
    path("body", body),
    path("stream", stream),
    path("cancelled", cancelled),
    path("file", file),
    path("fails", fails),
]

app = get_asgi_application()
wsgi = get_wsgi_application()
