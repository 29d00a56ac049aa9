"""Keys and certificates of every kind, client certificates, and what is wrong with files."""

import ast
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from conftest import Placement, Start
from harness.certificates import Authority, Issued, key_pem, new_key
from harness.server import Server
from harness.wire import GET

APP = "apps.wire:app"
PASSWORD = "a long-ish p\u00e4ssword"
PKCS8, TRADITIONAL = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL


def serves(server: Server, authority: Authority) -> bool:
    with server.connect_tls(authority.context()) as wire:
        return wire.send(GET).response().status == 200


@pytest.fixture
def issued(authority: Authority) -> Issued:
    """One whose files a test may change."""
    return authority.issue("localhost")


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        ("ec", PKCS8),
        ("ec", TRADITIONAL),
        ("ec384", PKCS8),
        ("ec384", TRADITIONAL),
        ("rsa", PKCS8),
        ("rsa", TRADITIONAL),
        ("ed25519", PKCS8),
    ],
)
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_key(
    start: Start,
    authority: Authority,
    kind: str,
    layout: PrivateFormat,
    password: str | None,
) -> None:
    issued = authority.issue("localhost", kind=kind)
    issued.keyfile.write_bytes(key_pem(issued.key, layout, password))
    env = {"UVICORN_SSL_KEYFILE_PASSWORD": password} if password else {}
    assert serves(start(APP, *issued.options, env=env), authority)


@pytest.mark.parametrize(
    "options",
    [
        ["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256"],
        ["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"],
        ["-v2", "des3", "-v2prf", "hmacWithSHA1"],
        ["-scrypt", "-scrypt_N", "1024"],
    ],
    ids=lambda options: str(options[1]),
)
def test_pkcs8_as_openssl_encrypts_it(
    start: Start, authority: Authority, issued: Issued, options: list[str]
) -> None:
    encrypt = ["openssl", "pkcs8", "-topk8", "-passout", "pass:secret", *options]
    encrypted = subprocess.run(
        [*encrypt, "-in", str(issued.keyfile)], capture_output=True, check=True
    )
    issued.keyfile.write_bytes(encrypted.stdout)
    server = start(APP, *issued.options, "--ssl-keyfile-password", "secret")
    assert serves(server, authority)


@pytest.mark.parametrize("cipher", ["-des3", "-aes128", "-aes192", "-aes256"])
def test_key_in_the_older_encryption(
    start: Start, authority: Authority, cipher: str
) -> None:
    issued = authority.issue("localhost", kind="rsa")
    encrypt = ["openssl", "rsa", "-traditional", cipher, "-passout", "pass:secret"]
    encrypted = subprocess.run(
        [*encrypt, "-in", str(issued.keyfile)], capture_output=True, check=True
    )
    assert b"Proc-Type: 4,ENCRYPTED" in encrypted.stdout
    issued.keyfile.write_bytes(encrypted.stdout)
    server = start(APP, *issued.options, "--ssl-keyfile-password", "secret")
    assert serves(server, authority)


def test_key_in_the_certificate_file(
    start: Start, authority: Authority, issued: Issued
) -> None:
    both = issued.certfile.read_bytes() + issued.keyfile.read_bytes()
    issued.certfile.write_bytes(b"A comment, \xfc\n" + both)
    assert serves(start(APP, "--ssl-certfile", str(issued.certfile)), authority)


def test_chain_is_sent(start: Start, authority: Authority, issued: Issued) -> None:
    # A client that trusts the root alone can check it only with the intermediate one.
    assert issued.certfile.read_text().count("BEGIN CERTIFICATE") == 2
    assert serves(start(APP, *issued.options), authority)
    issued.certfile.write_text(issued.pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        serves(start(APP, *issued.options), authority)


# --- files that are of no use -----------------------------------------------------------------


def refused(launch: Start, *options: str) -> str:
    """The one line that a server says that does not start."""
    server = launch(APP, "--port", "0", *options)
    assert server.wait() == 3
    lines = server.stderr.text.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_missing_files(launch: Start, issued: Issued, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere.pem")
    missing = f"cannot read '{nowhere}': No such file or directory (os error 2)"
    certfile, keyfile = (
        ("--ssl-certfile", str(issued.certfile)),
        ("--ssl-keyfile", nowhere),
    )
    assert (
        refused(launch, "--ssl-certfile", nowhere)
        == f"ERROR:    --ssl-certfile: {missing}"
    )
    assert refused(launch, *certfile, *keyfile) == f"ERROR:    --ssl-keyfile: {missing}"
    said = refused(launch, *issued.options, "--ssl-ca-certs", nowhere)
    assert said == f"ERROR:    --ssl-ca-certs: {missing}"


def test_key_of_another_certificate(
    launch: Start, authority: Authority, issued: Issued
) -> None:
    issued.keyfile.write_bytes(key_pem(new_key()))
    said = refused(launch, *issued.options)
    assert said == (
        f"ERROR:    --ssl-keyfile: '{issued.keyfile}': the private key in it does not belong to "
        f"the certificate in '{issued.certfile}'"
    )


@pytest.mark.parametrize("layout", [PKCS8, TRADITIONAL])
def test_passwords(launch: Start, issued: Issued, layout: PrivateFormat) -> None:
    issued.keyfile.write_bytes(key_pem(issued.key, layout, PASSWORD))
    without = refused(launch, *issued.options)
    assert without.endswith("is encrypted, and there is no '--ssl-keyfile-password'")
    wrong = refused(launch, *issued.options, "--ssl-keyfile-password", "wrong")
    assert wrong.endswith("cannot be decrypted: is the password wrong?")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "there is no private key in it"),
        ("nothing", "there is no private key in it"),
        (
            "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n",
            "the private key in it is not valid PEM",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n",
            "the private key in it is damaged, or of a kind that is not supported",
        ),
        (
            "-----BEGIN DSA PRIVATE KEY-----\naGVsbG8=\n-----END DSA PRIVATE KEY-----\n",
            "a key of the kind 'DSA PRIVATE KEY' is not supported",
        ),
    ],
)
def test_files_without_a_key(
    launch: Start, issued: Issued, text: str, what: str
) -> None:
    issued.keyfile.write_text(text)
    said = refused(launch, *issued.options)
    assert said == f"ERROR:    --ssl-keyfile: '{issued.keyfile}': {what}"


def test_a_certificate_whose_key_is_not_named(launch: Start, issued: Issued) -> None:
    said = refused(launch, "--ssl-certfile", str(issued.certfile))
    assert said == (
        f"ERROR:    --ssl-certfile: '{issued.certfile}': there is no private key in it; "
        "--ssl-keyfile names another file for it"
    )


@pytest.mark.parametrize(
    "text",
    ["", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"],
)
def test_files_without_a_certificate(launch: Start, issued: Issued, text: str) -> None:
    issued.certfile.write_text(text)
    said = refused(launch, *issued.options)
    assert said.startswith(f"ERROR:    --ssl-certfile: '{issued.certfile}': ")
    issued.certfile.write_text(issued.pem)
    authority_file = issued.certfile.with_suffix(".ca")
    authority_file.write_text(text)
    said = refused(launch, *issued.options, "--ssl-ca-certs", str(authority_file))
    assert said.startswith(f"ERROR:    --ssl-ca-certs: '{authority_file}': ")


def test_ciphers_that_are_not_there(
    launch: Start, start: Start, issued: Issued
) -> None:
    said = refused(launch, *issued.options, "--ssl-ciphers", "RC4-SHA:AES128-SHA")
    assert said.startswith(
        "ERROR:    --ssl-ciphers: there is no cipher suite for 'RC4-SHA:AES128-SHA'; there are: "
        "TLS_AES_256_GCM_SHA384, "
    )
    server = start(
        APP, *issued.options, "--ssl-ciphers", "HIGH:DHE-RSA-AES128-SHA:!aNULL:!MD5"
    )
    assert (
        "WARNING:  --ssl-ciphers: not available, and left out: DHE-RSA-AES128-SHA\n"
        in server.stderr.text
    )


def test_application_is_not_imported_for_nothing(launch: Start, issued: Issued) -> None:
    issued.certfile.write_text("")
    server = launch("apps.broken.raises:app", "--port", "0", *issued.options)
    assert server.wait() == 3
    assert "Traceback" not in server.stderr.text


# --- client certificates ----------------------------------------------------------------------


@pytest.fixture
def client(authority: Authority) -> Issued:
    subject = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Some, Corp"),
        x509.NameAttribute(NameOID.COMMON_NAME, "client"),
    ]
    return authority.issue("client.test", subject=subject)


def with_certificate(authority: Authority, client: Issued) -> ssl.SSLContext:
    context = authority.context()
    context.load_cert_chain(client.certfile, client.keyfile)
    return context


def tls_seen(server: Server, context: ssl.SSLContext) -> dict[str, object]:
    """The extension as the application got it."""
    with server.connect_tls(context) as wire:
        scope = ast.literal_eval(wire.send(GET).response().body.decode())
        seen = scope["extensions"]["tls"]
        assert isinstance(seen, dict)
        return seen


def asking(
    start: Start, placement: Placement, issued: Issued, authority: Authority, how: str
) -> Server:
    return start(
        "apps.scope:app",
        *placement.options,
        *issued.options,
        "--ssl-ca-certs",
        str(authority.certfile),
        "--ssl-cert-reqs",
        how,
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_required_client_certificate(
    start: Start,
    placement: Placement,
    issued: Issued,
    authority: Authority,
    client: Issued,
    tmp_path: Path,
    version: ssl.TLSVersion,
) -> None:
    server = asking(start, placement, issued, authority, "2")
    context = with_certificate(authority, client)
    context.minimum_version = context.maximum_version = version
    seen = tls_seen(server, context)
    assert seen["client_cert_name"] == "CN=client,O=Some\\, Corp,C=DE"
    chain = seen["client_cert_chain"]
    assert isinstance(chain, tuple) and len(chain) == 2 and chain[0] == client.pem
    assert seen["client_cert_error"] is None

    stranger = Authority(tmp_path, "Stranger").issue("client.test")
    for context in (authority.context(), with_certificate(authority, stranger)):
        context.minimum_version = context.maximum_version = version
        # In TLS 1.3 the client learns of it only when it reads; it must be the alert, and no reset.
        with pytest.raises(ssl.SSLError, match="alert"):
            tls_seen(server, context)


def test_optional_client_certificate(
    start: Start,
    placement: Placement,
    issued: Issued,
    authority: Authority,
    client: Issued,
    tmp_path: Path,
) -> None:
    server = asking(start, placement, issued, authority, "1")
    seen = tls_seen(server, authority.context())
    assert (seen["client_cert_chain"], seen["client_cert_name"]) == ((), None)
    seen = tls_seen(server, with_certificate(authority, client))
    assert seen["client_cert_name"] == "CN=client,O=Some\\, Corp,C=DE"
    stranger = Authority(tmp_path, "Stranger").issue("client.test")
    with pytest.raises(ssl.SSLError, match="alert"):
        tls_seen(server, with_certificate(authority, stranger))


def test_resumed_session_keeps_its_client_certificate(
    start: Start,
    placement: Placement,
    issued: Issued,
    authority: Authority,
    client: Issued,
) -> None:
    server = asking(start, placement, issued, authority, "2")
    context = with_certificate(authority, client)
    session = None
    for resumed in (False, True):
        with server.connect_tls(context, session=session) as wire:
            scope = ast.literal_eval(wire.send(GET).response().body.decode())
            assert wire.tls.session_reused is resumed
            session = wire.tls.session
        name = scope["extensions"]["tls"]["client_cert_name"]
        assert name == "CN=client,O=Some\\, Corp,C=DE"


def test_expired_client_certificate(
    start: Start, placement: Placement, issued: Issued, authority: Authority
) -> None:
    server = asking(start, placement, issued, authority, "2")
    expired = authority.issue("client.test", days=-1)
    with pytest.raises(ssl.SSLError, match="alert"):
        tls_seen(server, with_certificate(authority, expired))
