"""Whom we trust over TLS, and with which certificate we show ourselves.

The system's authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR put in their place, as for every program that
uses OpenSSL; besides them those of a company, from `network.ca_file` or from the variables that other tools read.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from strowger.errors import ConfigError

INSTEAD = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables whose authorities take the place of the system's."""

BESIDES = ("NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables of Node.js, of Python's requests and of curl, whose authorities are trusted too."""

_HINT = "a file of one or more certificates in PEM form (-----BEGIN CERTIFICATE-----)"


class Trust:
    """Authorities and our own certificate. Files are looked at now and read when the first connection needs them.

    Raises ConfigError for a file that is not there or is none of certificates: without it every connection would fail,
    and for a reason that nobody would look for.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        ca_file: str | None = None,
        client_cert: str | None = None,
        client_key: str | None = None,
        named_by: str = "network.ca_file",
    ) -> None:
        """`named_by` is the key of `ca_file`."""
        self._besides = {name: Path(env[name]).expanduser() for name in BESIDES if env.get(name)}
        for name in INSTEAD:
            if env.get(name):
                _check(name, [Path(part) for part in env[name].split(os.pathsep)])
        for name, path in self._besides.items():
            _check(name, [path])
        self._client_cert = Path(client_cert).expanduser() if client_cert else None
        self._client_key = Path(client_key).expanduser() if client_key else None
        if ca_file:
            path = self._besides[named_by] = Path(ca_file).expanduser()
            _check(named_by, [path])
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), named_by, path)
        if client_key and not client_cert:
            raise ConfigError("network.client_key is there without network.client_cert", hint="set both")
        self._show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self._context: ssl.SSLContext | None = None

    @property
    def is_read(self) -> bool:
        """Whether `context` will not take long."""
        return self._context is not None

    def context(self) -> ssl.SSLContext:
        """What a connection needs; made once, from files. Raises ConfigError."""
        if self._context is None:
            self._context = self._made()
        return self._context

    def _made(self) -> ssl.SSLContext:
        context = ssl.create_default_context()  # OpenSSL itself reads SSL_CERT_FILE and SSL_CERT_DIR
        context.set_alpn_protocols(["http/1.1"])
        read: set[Path] = set()
        for name, path in self._besides.items():
            if (path := path.resolve()) not in read:
                read.add(path)
                _load(context, name, path)
        if self._besides:
            # Since 3.13 Python refuses what RFC 5280 does; the authorities of many companies were not made by it.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._show(context)
        return context

    def _show(self, context: ssl.SSLContext) -> None:
        if self._client_cert is None:
            return
        try:
            context.load_cert_chain(self._client_cert, self._client_key, password=_no_password)
        except (OSError, ValueError) as error:
            files = ", ".join(str(path) for path in (self._client_cert, self._client_key) if path)
            raise ConfigError(
                f"the certificate of network.client_cert cannot be used: {files}: {_reason(error)}",
                hint="PEM files: the certificate, and its key without a password in the same file or in client_key",
            ) from None


def _no_password() -> str:
    raise ValueError("its key is encrypted")


def _check(name: str, paths: list[Path]) -> None:
    """That at least one of these is there and could hold certificates. Raises ConfigError."""
    reasons: list[str] = []
    for path in paths:
        try:
            if path.is_dir() or b"-----BEGIN " in path.read_bytes():
                return
            reasons.append(f"{path}: there is no certificate in it")
        except OSError as error:
            reasons.append(f"{path}: {_reason(error)}")
    raise ConfigError(f"{name} leads to no certificates: {', '.join(reasons)}", hint=f"it should name {_HINT}")


def _load(context: ssl.SSLContext, name: str, path: Path) -> None:
    try:
        context.load_verify_locations(capath=path) if path.is_dir() else context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{name} leads to no certificates: {path}: {_reason(error)}", hint=f"it should name {_HINT}"
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is not in PEM form").replace("_", " ").lower()
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error)
