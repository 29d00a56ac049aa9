"""WSGI applications of real frameworks, and one under the eyes of wsgiref's validator."""

import os
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import flask
from pyramid.config import Configurator
from pyramid.response import FileResponse as PyramidFile
from pyramid.response import Response

# --- Flask ------------------------------------------------------------------------------------

flask_app = flask.Flask(__name__)


@flask_app.get("/")
def flask_index() -> str:
    return f"hello {flask.request.args.get('name', 'nobody')}"


@flask_app.post("/json")
def flask_json() -> Any:
    return {"got": flask.request.get_json(), "user": flask.request.headers["X-User"]}


@flask_app.post("/upload")
def flask_upload() -> Any:
    uploaded = flask.request.files["file"]
    return {"name": uploaded.filename, "size": len(uploaded.read())}


@flask_app.post("/raw")
def flask_raw() -> Any:
    return {
        "size": sum(
            len(piece) for piece in iter(lambda: flask.request.stream.read(9999), b"")
        )
    }


@flask_app.get("/stream")
def flask_stream() -> Any:
    @flask.stream_with_context
    def pieces() -> Iterator[str]:
        for number in range(3):
            yield f"{flask.request.path} {number}\n"

    return pieces()


@flask_app.get("/file")
def flask_file() -> Any:
    return flask.send_file(os.environ["TEST_FILE"])


@flask_app.get("/url")
def flask_url() -> str:
    return flask.url_for("flask_index", _external=True)


@flask_app.get("/error")
def flask_error() -> str:
    raise LookupError("mine")


# --- Pyramid ----------------------------------------------------------------------------------


def pyramid_hello(request: Any) -> Any:
    return Response(f"hello {request.matchdict['name']} {request.client_addr}")


def pyramid_upload(request: Any) -> Any:
    return Response(json_body={"size": len(request.POST["file"].file.read())})


def pyramid_file(request: Any) -> Any:
    return PyramidFile(os.environ["TEST_FILE"], request=request)


with Configurator() as config:
    config.add_route("hello", "/hello/{name}")
    config.add_view(pyramid_hello, route_name="hello")
    config.add_route("upload", "/upload")
    config.add_view(pyramid_upload, route_name="upload")
    config.add_route("file", "/file")
    config.add_view(pyramid_file, route_name="file")
    pyramid_app = config.make_wsgi_app()


# --- The validator ----------------------------------------------------------------------------


def checked(environ: dict[str, Any], start_response: Any) -> Any:
    body = environ["wsgi.input"]
    read = [body.read(2), body.readline(), *body.readlines(), *body]
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/write":
        write(b"written ")
    if environ["PATH_INFO"] == "/exc-info":
        try:
            raise LookupError
        except LookupError as error:
            info = (type(error), error, error.__traceback__)
            start_response("200 OK", [("Content-Type", "text/plain")], info)
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].writelines([])
    environ["wsgi.errors"].flush()
    return (piece for piece in [b"", b"".join(read), b" end"])


validated = validator(checked)
