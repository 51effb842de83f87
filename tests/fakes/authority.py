"""A throw-away authority, so that fakes can be reached over real TLS: certificates for loopback and `models.test`.

    authority = Authority()
    async with FakeChat(tls=authority) as fake:               # fake.base_url is https://127.0.0.1:PORT
        HttpUpstream(tls=authority.trusting())                 # a client in this process
        monkeypatch.setenv("SSL_CERT_FILE", authority.bundle(tmp_path))  # a gateway, here or in a subprocess

Nothing else trusts it, so a client that got by without `trusting` or `bundle` did not look at the certificate.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Authority:
    """Signs certificates of servers, which also hold for `names`, and of clients."""

    def __init__(self, names: tuple[str, ...] = ("models.test", "*.models.test")) -> None:
        self._ca = trustme.CA(organization_name="Strowger's tests")
        self._names = names

    def serving(self, *names: str, clients: bool = False) -> ssl.SSLContext:
        """What a server needs, for `names` alone where some are given. `clients`: they have to show a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*(names or (*LOOPBACK, *self._names))).configure_cert(context)
        if clients:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def trusting(self) -> ssl.SSLContext:
        """What a client needs that trusts this authority and no other."""
        context = ssl.create_default_context(cadata=self._ca.cert_pem.bytes().decode())
        context.set_alpn_protocols(["http/1.1"])
        return context

    def bundle(self, folder: Path, name: str = "ca.pem") -> str:
        """The authority's certificate as a file, for whoever takes a path."""
        path = folder / name
        path.write_bytes(self._ca.cert_pem.bytes())
        return str(path)

    def client(self, folder: Path) -> tuple[str, str]:
        """A client's certificate and its key, as two files."""
        issued = self._ca.issue_cert("client@strowger.test")
        certificate, key = folder / "client.pem", folder / "client.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        key.chmod(0o600)
        return str(certificate), str(key)
