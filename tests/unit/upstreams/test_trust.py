"""Whom we trust: which files are read, and what is said of those that are no use."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from strowger.errors import ConfigError
from strowger.upstreams.trust import BESIDES, INSTEAD, Trust
from tests.fakes.authority import Authority

ORGANISATION = "Strowger's tests"


def trusted(trust: Trust) -> int:
    """How many of the tests' own authorities are trusted."""
    return sum(ORGANISATION in str(one["subject"]) for one in trust.context().get_ca_certs())


def test_the_systems_alone() -> None:
    """With nothing set, there are the system's authorities and no more; certificates and names are checked."""
    context = Trust({}).context()
    assert trusted(Trust({})) == 0
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("name", BESIDES)
def test_variables_of_other_tools(tmp_path: Path, name: str) -> None:
    """What Node.js, requests and curl trust is trusted besides the system's."""
    before = len(Trust({}).context().get_ca_certs())
    trust = Trust({name: Authority().bundle(tmp_path)})
    assert trusted(trust) == 1
    assert len(trust.context().get_ca_certs()) == before + 1


def test_all_of_them(tmp_path: Path) -> None:
    """Each is read, and a file that several name only once."""
    one, other = Authority().bundle(tmp_path), Authority().bundle(tmp_path, "other.pem")
    env = {"NODE_EXTRA_CA_CERTS": one, "REQUESTS_CA_BUNDLE": one, "CURL_CA_BUNDLE": ""}
    assert trusted(Trust(env, ca_file=other)) == 2


def test_it_is_read_once(tmp_path: Path) -> None:
    """And not before it is needed: all the system's certificates take a while."""
    trust = Trust({}, ca_file=Authority().bundle(tmp_path))
    assert not trust.is_read
    assert trust.context() is trust.context()
    assert trust.is_read


@pytest.mark.parametrize("name", [*INSTEAD, *BESIDES])
def test_a_variable_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    """It is told at the start, by its name: else every connection would fail, and look like the upstream's fault."""
    with pytest.raises(ConfigError, match=f"^{name} leads to no certificates: .*/gone.pem: no such file") as raised:
        Trust({name: str(tmp_path / "gone.pem")})
    assert "PEM" in (raised.value.hint or "")


def test_a_file_without_certificates(tmp_path: Path) -> None:
    """Binary ones, and what only looks as if it had some."""
    binary, damaged = tmp_path / "ca.der", tmp_path / "ca.pem"
    binary.write_bytes(b"\x30\x82\x01")
    damaged.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigError, match="NODE_EXTRA_CA_CERTS leads to no certificates: .*there is no certificate in"):
        Trust({"NODE_EXTRA_CA_CERTS": str(binary)})
    with pytest.raises(ConfigError, match="^network.ca_file leads to no certificates: "):
        Trust({}, ca_file=str(damaged))
    with pytest.raises(ConfigError, match="^CURL_CA_BUNDLE leads to no certificates: "):
        Trust({"CURL_CA_BUNDLE": str(damaged)}).context()


def test_a_list_of_folders(tmp_path: Path) -> None:
    """SSL_CERT_DIR may hold several, of which one has to be there."""
    assert not Trust({"SSL_CERT_DIR": f"{tmp_path}/gone:{tmp_path}"}).is_read
    with pytest.raises(ConfigError, match="SSL_CERT_DIR"):
        Trust({"SSL_CERT_DIR": f"{tmp_path}/gone:{tmp_path}/lost"})


def test_our_own_certificate(tmp_path: Path) -> None:
    """It goes with its key, from two files or one; without, or with one that is locked, it is told at the start."""
    certificate, key = Authority().client(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(Path(certificate).read_bytes() + Path(key).read_bytes())
    Trust({}, client_cert=certificate, client_key=key).context()
    Trust({}, client_cert=str(both)).context()
    locked = tmp_path / "locked.key"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    for cert, own in ((certificate, None), (certificate, str(locked)), (str(tmp_path / "gone"), key)):
        with pytest.raises(ConfigError, match="^the certificate of network.client_cert cannot be used: "):
            Trust({}, client_cert=cert, client_key=own)


def test_a_key_alone(tmp_path: Path) -> None:
    """It shows nobody who we are."""
    with pytest.raises(ConfigError, match="network.client_key is there without network.client_cert"):
        Trust({}, client_key=Authority().client(tmp_path)[1])


def test_authorities_of_companies(tmp_path: Path) -> None:
    """Python 3.13 is stricter with authorities than many who make them for companies: not where one of theirs is."""
    assert not Trust({}, ca_file=Authority().bundle(tmp_path)).context().verify_flags & ssl.VERIFY_X509_STRICT
