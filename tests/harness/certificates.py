"""Certificates and keys of every kind, made for one run of the tests."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def new_key(kind: str = "ec") -> Key:
    """A private key: ec, ec384, rsa or ed25519."""
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(
        ec.SECP384R1() if kind == "ec384" else ec.SECP256R1()
    )


def key_pem(
    key: Key,
    layout: PrivateFormat = PrivateFormat.PKCS8,
    password: str | None = None,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    """The key as PEM; `password` encrypts it."""
    if encryption is None:
        encryption = (
            BestAvailableEncryption(password.encode()) if password else NoEncryption()
        )
    return key.private_bytes(Encoding.PEM, layout, encryption)


@dataclass(frozen=True)
class CertificateFiles:
    """Where a server finds its certificate."""

    certfile: Path
    keyfile: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Options for a server that shows it."""
        return (
            "--ssl-certfile",
            str(self.certfile),
            "--ssl-keyfile",
            str(self.keyfile),
        )


@dataclass(frozen=True)
class Issued(CertificateFiles):
    """A certificate in files."""

    key: Key
    certificate: x509.Certificate
    pem: str
    """The certificate alone."""


class Authority:
    """A CA whose certificates are signed by an intermediate one."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        self._folder = folder
        self._root_key = new_key()
        self._intermediate_key = new_key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._root = _sign(subject, self._root_key, subject, self._root_key, [_CA])
        middle = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"{name}, intermediate")]
        )
        self._intermediate = _sign(
            middle, self._intermediate_key, subject, self._root_key, [_CA]
        )
        self.certfile = folder / f"{name}.pem"
        self.certfile.write_bytes(self._root.public_bytes(Encoding.PEM))

    def issue(
        self,
        *names: str,
        kind: str = "ec",
        subject: list[x509.NameAttribute] | None = None,  # type: ignore[type-arg]
        days: int = 30,
    ) -> Issued:
        """A certificate for these names and addresses, with the chain in its file."""
        key = new_key(kind)
        shown = x509.Name(
            subject or [x509.NameAttribute(NameOID.COMMON_NAME, names[0])]
        )
        extensions: list[x509.ExtensionType] = [
            x509.SubjectAlternativeName([_general_name(name) for name in names]),
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
        ]
        issuer = self._intermediate
        certificate = _sign(
            shown, key, issuer.subject, self._intermediate_key, extensions, days
        )
        pem = certificate.public_bytes(Encoding.PEM)
        stem = f"{names[0].replace('*', 'any')}-{certificate.serial_number:x}"
        certfile = self._folder / f"{stem}.pem"
        certfile.write_bytes(pem + issuer.public_bytes(Encoding.PEM))
        keyfile = self._folder / f"{stem}.key"
        keyfile.write_bytes(key_pem(key))
        return Issued(certfile, keyfile, key, certificate, pem.decode())

    def context(self, **settings: ssl.TLSVersion) -> ssl.SSLContext:
        """A client that trusts this CA."""
        context = ssl.create_default_context(cafile=str(self.certfile))
        for name, value in settings.items():
            setattr(context, name, value)
        return context


_CA = x509.BasicConstraints(ca=True, path_length=None)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _sign(
    subject: x509.Name,
    key: Key,
    issuer: x509.Name,
    issuer_key: Key,
    extensions: list[x509.ExtensionType],
    days: int = 30,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=40))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints)
        builder = builder.add_extension(extension, critical=critical)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    ).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
        critical=False,
    )
    if _CA in extensions:
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    algorithm = (
        None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    )
    return builder.sign(issuer_key, algorithm)
