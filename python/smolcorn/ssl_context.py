"""`Config.ssl`: a context for programs that look at one, or change it.

TLS is native code, and this context serves nobody. It says what the configuration says.
What a program changes in it goes back there, and in a server that runs new connections
are served by that from then on. What the native side does not have cannot be changed.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from smolcorn.errors import ConfigError

if TYPE_CHECKING:
    from smolcorn.api import Config

_Path: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"
_Password: TypeAlias = "Callable[[], str | bytes | bytearray] | str | bytes | bytearray"

_SETTABLE = {"minimum_version", "maximum_version", "verify_mode", "options"}
"""Attributes that go back to the configuration."""

_IDLE = {"check_hostname"}
"""Those that mean nothing to a server."""

_REFUSED = (
    "load_default_certs",
    "load_dh_params",
    "set_default_verify_paths",
    "set_ecdh_curve",
    "set_npn_protocols",
    "set_psk_client_callback",
    "set_psk_server_callback",
    "set_servername_callback",
)
"""Methods that would change what only OpenSSL has."""


class ServerContext(ssl.SSLContext):
    """What a configuration says of TLS."""

    def __new__(cls, config: Config) -> ServerContext:
        """An empty one."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, config: Config) -> None:
        """Reads the files. Raises what the methods of a context raise."""
        self.__dict__["_config"] = None
        keys = _listed(config.ssl_keyfile)
        # Without any OpenSSL would ask at the terminal.
        password = config.ssl_keyfile_password or ""
        for number, certificate in enumerate(_listed(config.ssl_certfile)):
            key = keys[number] if number < len(keys) else None
            super().load_cert_chain(certificate, key, password)
        if config.ssl_ca_certs:
            super().load_verify_locations(config.ssl_ca_certs)
        if config.ssl_ciphers and config.ssl_ciphers != "TLSv1":
            super().set_ciphers(config.ssl_ciphers)
        self.verify_mode = ssl.VerifyMode(int(config.ssl_cert_reqs))
        is_13 = str(config.ssl_min_version) == "1.3"
        versions = ssl.TLSVersion
        self.minimum_version = versions.TLSv1_3 if is_13 else versions.TLSv1_2
        if int(config.ssl_version) == ssl.PROTOCOL_TLSv1_2:
            self.maximum_version = versions.TLSv1_2
        # From now on changes count.
        self.__dict__["_config"] = config

    def load_cert_chain(
        self,
        certfile: _Path,
        keyfile: _Path | None = None,
        password: _Password | None = None,
    ) -> None:
        """Puts a certificate in the place of all that there were."""
        secret = password() if callable(password) else password
        super().load_cert_chain(certfile, keyfile, secret or "")
        self._change(
            ssl_certfile=os.fsdecode(certfile),
            ssl_keyfile=None if keyfile is None else os.fsdecode(keyfile),
            ssl_keyfile_password=secret if isinstance(secret, str) else _text(secret),
        )

    def load_verify_locations(
        self,
        cafile: _Path | None = None,
        capath: _Path | None = None,
        cadata: Any = None,
    ) -> None:
        """Puts the CAs of a file in the place of those that there were."""
        if cafile is None or capath is not None or cadata is not None:
            _refuse("load_verify_locations() without a 'cafile', or with more")
        super().load_verify_locations(cafile)
        self._change(ssl_ca_certs=os.fsdecode(cafile))

    def set_ciphers(self, ciphers: str, /) -> None:
        """As `ssl_ciphers`."""
        super().set_ciphers(ciphers)
        self._change(ssl_ciphers=ciphers)

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Takes those that there are."""
        protocols = list(alpn_protocols)
        if protocols != ["http/1.1"]:
            _refuse(f"set_alpn_protocols({protocols})")
        super().set_alpn_protocols(protocols)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _SETTABLE and name not in _IDLE:
            _refuse(f"setting '{name}'")
        super().__setattr__(name, value)
        if name in _SETTABLE:
            versions, options = ssl.TLSVersion, self.options
            only_13 = self.minimum_version == versions.TLSv1_3
            only_12 = self.maximum_version == versions.TLSv1_2
            self._change(
                ssl_min_version=(
                    "1.3" if only_13 or options & ssl.OP_NO_TLSv1_2 else "1.2"
                ),
                ssl_version=(
                    ssl.PROTOCOL_TLSv1_2
                    if only_12 or options & ssl.OP_NO_TLSv1_3
                    else ssl.PROTOCOL_TLS_SERVER
                ).value,
                ssl_cert_reqs=int(self.verify_mode),
            )

    def _change(self, **values: Any) -> None:
        """Sets attributes of the configuration, and has a server go by them. Raises
        SSLError; then everything there is as before."""
        config = self.__dict__["_config"]
        if config is None:
            return
        before = {name: getattr(config, name) for name in values}
        vars(config).update(values)
        try:
            config.tls_changed()
        except ValueError as error:
            vars(config).update(before)
            raise ssl.SSLError(str(error)) from None


def made_by(
    factory: Callable[[Config, Callable[[], ssl.SSLContext]], ssl.SSLContext],
    config: Config,
) -> ServerContext:
    """What a program's own `ssl_context_factory` makes. Raises ConfigError, and what the
    factory raises."""

    def default() -> ssl.SSLContext:
        if not _listed(config.ssl_certfile):
            raise RuntimeError(
                "The default of 'ssl_context_factory' needs 'ssl_certfile'."
            )
        return ServerContext(config)

    made = factory(config, default)
    if not isinstance(made, ServerContext):
        raise ConfigError(
            "'ssl_context_factory' must return the context that the default factory "
            f"makes, because TLS is native code. It has returned: {made!r}"
        )
    return made


def _refuse(what: str) -> NoReturn:
    raise NotImplementedError(
        f"config.ssl: {what} is not available, because TLS is native code."
    )


def _refusal(name: str) -> Callable[..., NoReturn]:
    def method(self: ServerContext, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(f"{name}()")

    return method


for _name in _REFUSED:
    setattr(ServerContext, _name, _refusal(_name))


def _listed(paths: Any) -> list[Any]:
    if isinstance(paths, (list, tuple)):
        return [*paths]
    return [paths] if paths else []


def _text(secret: bytes | bytearray | None) -> str | None:
    return None if secret is None else bytes(secret).decode()
