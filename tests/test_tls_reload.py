"""Certificates that change while the server runs."""

import os
import shutil
import ssl
import threading
import time
from pathlib import Path
from signal import Signals

import pytest

from conftest import BARE, Placement, Start
from harness.certificates import Authority, CertificateFiles, Issued
from harness.deadline import Deadline
from harness.server import Server
from harness.wire import GET

APP = "apps.wire:app"
LOOK_OFTEN = ("--ssl-reload-interval", "0.05")
NEVER_LOOK = ("--ssl-reload-interval", "0")
RELOADED = "INFO:     Certificates reloaded\n"


class Files(CertificateFiles):
    """The files that a server reads, and what is in them."""

    def __init__(self, folder: Path, issued: Issued) -> None:
        super().__init__(folder / "cert.pem", folder / "key.pem")
        self.write(issued)

    def write(self, issued: Issued) -> None:
        """Writes over the old files."""
        shutil.copy(issued.certfile, self.certfile)
        shutil.copy(issued.keyfile, self.keyfile)

    def replace(self, issued: Issued) -> None:
        """Puts new files in the place of the old ones."""
        for source, target in (
            (issued.certfile, self.certfile),
            (issued.keyfile, self.keyfile),
        ):
            new = target.with_suffix(".new")
            shutil.copy(source, new)
            new.rename(target)


@pytest.fixture
def old(authority: Authority) -> Issued:
    return authority.issue("localhost")


@pytest.fixture
def new(authority: Authority) -> Issued:
    return authority.issue("localhost", kind="rsa")


@pytest.fixture
def files(tmp_path: Path, old: Issued) -> Files:
    return Files(tmp_path, old)


def shown(server: Server, authority: Authority) -> str:
    """The certificate that a new client gets."""
    with server.connect_tls(authority.context()) as wire:
        certificate = wire.tls.getpeercert(binary_form=True)
        assert certificate
        return ssl.DER_cert_to_PEM_cert(certificate)


def test_hangup_reads_them_again(
    start: Start,
    placement: Placement,
    authority: Authority,
    files: Files,
    old: Issued,
    new: Issued,
) -> None:
    server = start(APP, *placement.options, *files.options, *NEVER_LOOK)
    with server.connect_tls(authority.context()) as standing:
        assert standing.send(GET).response().status == 200
        files.write(new)
        assert shown(server, authority) == old.pem
        server.signal(Signals.SIGHUP)
        server.stderr.wait_for(RELOADED)
        assert shown(server, authority) == new.pem
        assert standing.send(GET).response().status == 200
    assert server.stop() == 0


@pytest.mark.parametrize("how", ["write", "replace"])
def test_change_is_noticed(
    start: Start,
    placement: Placement,
    authority: Authority,
    files: Files,
    new: Issued,
    how: str,
) -> None:
    server = start(APP, *placement.options, *files.options, *LOOK_OFTEN)
    getattr(files, how)(new)
    server.stderr.wait_for(RELOADED)
    deadline = Deadline()
    while shown(server, authority) != new.pem:
        # Between the two files a look may have come, and another one follows.
        assert deadline.left()
        time.sleep(0.01)


def test_turned_link_is_a_change(
    start: Start, authority: Authority, tmp_path: Path, old: Issued, new: Issued
) -> None:
    # As Kubernetes mounts secrets: a link to a folder is replaced as a whole.
    for name, issued in (("first", old), ("second", new)):
        (tmp_path / name).mkdir()
        shutil.copy(issued.certfile, tmp_path / name / "tls.crt")
        shutil.copy(issued.keyfile, tmp_path / name / "tls.key")
    link = tmp_path / "current"
    link.symlink_to("first")
    server = start(
        APP,
        "--ssl-certfile",
        str(link / "tls.crt"),
        "--ssl-keyfile",
        str(link / "tls.key"),
        *LOOK_OFTEN,
    )
    assert shown(server, authority) == old.pem
    (tmp_path / "next").symlink_to("second")
    os.rename(tmp_path / "next", link)
    server.stderr.wait_for(RELOADED)
    assert shown(server, authority) == new.pem


def test_bad_files_leave_everything_as_it_was(
    start: Start,
    placement: Placement,
    authority: Authority,
    files: Files,
    old: Issued,
    new: Issued,
) -> None:
    server = start(APP, *placement.options, *files.options, *NEVER_LOOK)
    files.certfile.write_text("nonsense")
    server.signal(Signals.SIGHUP)
    server.stderr.wait_for(
        "ERROR:    Certificates not reloaded: --ssl-certfile: "
        f"'{files.certfile}': there is no certificate in it\n"
    )
    assert shown(server, authority) == old.pem
    files.certfile.unlink()
    server.signal(Signals.SIGHUP)
    server.stderr.wait_for("Certificates not reloaded: --ssl-certfile: cannot read")
    assert shown(server, authority) == old.pem
    files.write(new)
    server.signal(Signals.SIGHUP)
    server.stderr.wait_for(RELOADED)
    assert shown(server, authority) == new.pem
    assert "Traceback" not in server.stderr.text


def test_bad_file_is_reported_once(
    start: Start, authority: Authority, files: Files, old: Issued, new: Issued
) -> None:
    server = start(APP, *files.options, *LOOK_OFTEN)
    files.certfile.write_text("nonsense")
    server.stderr.wait_for("Certificates not reloaded: ")
    assert shown(server, authority) == old.pem
    files.replace(new)
    server.stderr.wait_for(RELOADED)
    assert server.stderr.text.count("there is no certificate in it") == 1


def test_session_outlives_a_new_certificate(
    start: Start, authority: Authority, files: Files, new: Issued
) -> None:
    server = start(APP, *BARE, *files.options, *NEVER_LOOK)
    context = authority.context()
    with server.connect_tls(context) as wire:
        wire.send(GET).response()
        session = wire.tls.session
    files.write(new)
    server.signal(Signals.SIGHUP)
    server.stderr.wait_for(RELOADED)
    with server.connect_tls(context, session=session) as wire:
        assert wire.tls.session_reused
        assert wire.send(GET).response().status == 200


def test_no_request_fails_while_certificates_change(
    start: Start,
    placement: Placement,
    authority: Authority,
    files: Files,
    old: Issued,
    new: Issued,
) -> None:
    server = start(APP, *placement.options, *BARE, *files.options, *NEVER_LOOK)
    context, over = authority.context(), threading.Event()
    counts, failures = [0] * 4, []

    def ask(worker: int) -> None:
        try:
            while not over.is_set():
                with server.connect_tls(context) as wire:
                    for _ in range(3):
                        assert wire.send(GET).response().status == 200
                        counts[worker] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(counts))]
    for thread in threads:
        thread.start()
    try:
        for turn in range(10):
            seen = list(counts)
            files.replace(old if turn % 2 else new)
            server.signal(Signals.SIGHUP)
            deadline = Deadline()
            while server.stderr.text.count(RELOADED) <= turn or any(
                now <= before for now, before in zip(counts, seen, strict=True)
            ):
                assert deadline.left() and not failures, failures
                time.sleep(0.001)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_without_tls_a_hangup_ends_the_process(start: Start) -> None:
    server = start(APP)
    server.signal(Signals.SIGHUP)
    assert server.wait() == -Signals.SIGHUP
