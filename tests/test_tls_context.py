"""`Config.ssl`: programs look at a context, and change the certificates of a server by it."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from harness.certificates import Authority, Issued
from harness.deadline import DEADLINE_SECONDS
from harness.wheel import needs_the_wheel

needs_the_wheel()

import smolcorn  # noqa: E402
from harness.embedded import app, fetch, server  # noqa: E402
from smolcorn import errors  # noqa: E402

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def first(authority: Authority) -> Issued:
    return authority.issue("localhost")


@pytest.fixture
def second(authority: Authority) -> Issued:
    return authority.issue("localhost", kind="rsa")


def files(issued: Issued) -> dict[str, str]:
    return {"ssl_certfile": str(issued.certfile), "ssl_keyfile": str(issued.keyfile)}


def tls_server(issued: Issued, **options: Any) -> smolcorn.Server:
    return server(**files(issued), **options)


def context_of(one: smolcorn.Server) -> ssl.SSLContext:
    context = one.config.ssl
    assert context is not None
    return context


def port_of(one: smolcorn.Server) -> int:
    port: int = one.servers[0].sockets[0].getsockname()[1]
    return port


async def shown(one: smolcorn.Server, client: ssl.SSLContext) -> str:
    """A digest of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection(
        "localhost", port_of(one), ssl=client, limit=65536
    )
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    return hashlib.sha256(certificate).hexdigest()


def digest(issued: Issued) -> str:
    der = issued.certificate.public_bytes(Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def test_it_says_what_the_configuration_says(
    authority: Authority, first: Issued
) -> None:
    config = smolcorn.Config(
        app,
        **files(first),  # type: ignore[arg-type]
        ssl_ca_certs=str(authority.certfile),
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
        ssl_min_version="1.3",
        log_config=None,
    )
    assert config.is_ssl and config.ssl is None
    config.load()
    context = config.ssl
    assert isinstance(context, ssl.SSLContext) and config.ssl is context
    assert context.verify_mode is ssl.CERT_OPTIONAL
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert [len(context.get_ca_certs()), context.protocol] == [
        1,
        ssl.PROTOCOL_TLS_SERVER,
    ]


def test_without_tls_there_is_none() -> None:
    config = smolcorn.Config(app, log_config=None)
    config.load()
    assert config.ssl is None and not config.is_ssl
    config.ssl = None


def test_a_new_certificate_is_shown_to_new_connections(
    authority: Authority, first: Issued, second: Issued
) -> None:
    client = authority.context()

    async def main() -> None:
        async with tls_server(first) as one:
            assert await shown(one, client) == digest(first)
            reader, writer = await asyncio.open_connection(
                "localhost", port_of(one), ssl=client
            )
            context_of(one).load_cert_chain(second.certfile, str(second.keyfile))
            assert await shown(one, client) == digest(second)
            assert one.config.ssl_certfile == str(second.certfile)
            # The old connection is not touched.
            writer.write(b"GET /old HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), DEADLINE_SECONDS)
            assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"/old")
            writer.close()

    asyncio.run(main())


def test_the_same_files_again(
    authority: Authority, first: Issued, second: Issued, tmp_path: Path
) -> None:
    """What certificate refreshers do when a file has changed."""
    names = tmp_path / "cert.pem", tmp_path / "key.pem"

    def install(issued: Issued) -> None:
        names[0].write_bytes(issued.certfile.read_bytes())
        names[1].write_bytes(issued.keyfile.read_bytes())

    async def main() -> None:
        install(first)
        config = smolcorn.Config(
            app,
            port=0,
            ssl_certfile=names[0],
            ssl_keyfile=names[1],
            log_config=None,
            ssl_reload_interval=0,
        )
        config.load()
        context = config.ssl
        assert context is not None
        async with smolcorn.Server(config) as one:
            client = authority.context()
            assert await shown(one, client) == digest(first)
            install(second)
            context.load_cert_chain(*names)
            assert await shown(one, client) == digest(second)

    asyncio.run(main())


def test_changes_before_the_start_count(
    authority: Authority, first: Issued, second: Issued
) -> None:
    async def main() -> None:
        one = tls_server(first)
        one.config.load()
        context_of(one).load_cert_chain(second.certfile, second.keyfile)
        context_of(one).minimum_version = ssl.TLSVersion.TLSv1_3
        old = authority.context(maximum_version=ssl.TLSVersion.TLSv1_2)
        async with one:
            assert await shown(one, authority.context()) == digest(second)
            with pytest.raises(ssl.SSLError):
                await shown(one, old)

    asyncio.run(main())


def test_bad_files_change_nothing(
    authority: Authority, first: Issued, second: Issued, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")

    async def main() -> None:
        async with tls_server(first) as one:
            context = context_of(one)
            with pytest.raises(FileNotFoundError):
                context.load_cert_chain("no/such/file")
            with pytest.raises(ssl.SSLError):
                context.load_cert_chain(tmp_path / "empty.pem")
            with pytest.raises(ssl.SSLError):
                context.load_cert_chain(first.certfile, second.keyfile)
            with pytest.raises(ssl.SSLError):
                # Nobody signs what clients show.
                context.verify_mode = ssl.CERT_REQUIRED
            assert await shown(one, authority.context()) == digest(first)
            assert one.config.ssl_certfile == str(first.certfile)
            assert one.config.ssl_cert_reqs == 0

    asyncio.run(main())


def test_clients_are_asked_from_now_on(authority: Authority, first: Issued) -> None:
    async def main() -> None:
        async with tls_server(first) as one:
            context = context_of(one)
            url = one.urls[0].replace("127.0.0.1", "localhost")
            assert await fetch(url, context=authority.context()) == b"/"
            context.load_verify_locations(authority.certfile)
            context.verify_mode = ssl.CERT_REQUIRED
            with pytest.raises(OSError):
                await fetch(url, context=authority.context())
            known = authority.context()
            mine = authority.issue("me")
            known.load_cert_chain(mine.certfile, mine.keyfile)
            assert await fetch(url, context=known) == b"/"

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:ssl.OP_NO_:DeprecationWarning")
def test_versions_and_ciphers(authority: Authority, first: Issued) -> None:
    async def main() -> None:
        async with tls_server(first) as one:
            context = context_of(one)
            context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
            context.options |= ssl.OP_NO_TLSv1_3 | ssl.OP_NO_COMPRESSION
            _, writer = await asyncio.open_connection(
                "localhost", port_of(one), ssl=authority.context()
            )
            cipher = writer.get_extra_info("cipher")
            writer.close()
            assert cipher[:2] == ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2")
            with pytest.raises(ssl.SSLError):
                # No version would be left.
                context.minimum_version = ssl.TLSVersion.TLSv1_3

    asyncio.run(main())


@pytest.mark.parametrize(
    "change",
    [
        lambda context: context.set_ecdh_curve("prime256v1"),
        lambda context: context.set_servername_callback(print),
        lambda context: setattr(context, "sni_callback", print),
        lambda context: setattr(context, "keylog_filename", "keys"),
        lambda context: context.set_alpn_protocols(["h2"]),
        lambda context: context.load_verify_locations(capath="."),
    ],
)
def test_what_native_code_does_not_have_is_refused(
    first: Issued, change: Callable[[Any], object]
) -> None:
    one = tls_server(first)
    one.config.load()
    with pytest.raises(NotImplementedError, match="is not available, because TLS"):
        change(one.config.ssl)
    context_of(one).set_alpn_protocols(["http/1.1"])


def test_another_context_is_refused(first: Issued) -> None:
    one = tls_server(first)
    one.config.load()
    with pytest.raises(AttributeError, match="'ssl' cannot be replaced"):
        one.config.ssl = ssl.create_default_context()


def test_a_factory_that_changes_the_default(
    authority: Authority, first: Issued, second: Issued
) -> None:
    def factory(
        config: smolcorn.Config, default: Callable[[], ssl.SSLContext]
    ) -> ssl.SSLContext:
        context = default()
        context.load_cert_chain(second.certfile, second.keyfile)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    async def main() -> None:
        async with tls_server(first, ssl_context_factory=factory) as one:
            assert one.config.is_ssl and one.urls[0].startswith("https://")
            assert await shown(one, authority.context()) == digest(second)

    asyncio.run(main())


def test_factories_that_cannot_be_followed(first: Issued) -> None:
    def own(config: Any, default: Any) -> Any:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    with pytest.raises(errors.ConfigError, match="'ssl_context_factory' must return"):
        tls_server(first, ssl_context_factory=own).run()
    with pytest.raises(RuntimeError, match="needs 'ssl_certfile'"):
        server(ssl_context_factory=lambda config, default: default()).run()
    config = smolcorn.Config("m:app", ssl_context_factory=own, log_config=None)
    with pytest.raises(errors.ConfigError, match="cannot be handed to other"):
        with config.command_line():
            pass
