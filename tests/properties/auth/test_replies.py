"""Whatever an issuer says, or a token file holds, is read without surprises."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from unittest import mock

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strowger.auth.issuers import CODEX, KIMI, Holder, Issuer, holder_of, life_of
from strowger.auth.oauth import (
    DeviceCode,
    Grant,
    IssuerRefused,
    Reply,
    Tokens,
    read_callback,
    read_device,
    read_device_tokens,
    read_tokens,
    retry_after,
)
from strowger.auth.oauth_file import OAuthFile, moment
from strowger.auth.stores import Login
from strowger.config.references import Secret, TokenFile

NAMES = st.sampled_from(
    "access_token refresh_token id_token expires_in scope error code message type user_code usercode device_code "
    "device_auth_id verification_uri interval authorization_code code_verifier".split()
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)  # JSON has no words for these
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4)
)
BODIES = st.binary(max_size=40) | st.dictionaries(NAMES, VALUES, max_size=6).map(msgspec.json.encode)
STATUSES = st.sampled_from([200, 201, 302, 400, 401, 403, 404, 408, 429, 500, 503])
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=30))
ISSUERS = st.sampled_from([CODEX, KIMI])
REPLIES = st.builds(Reply, STATUSES, HEADERS, BODIES)
MEMBERS = st.dictionaries(st.text(max_size=4), SCALARS | st.lists(SCALARS, max_size=2), max_size=4)
FIELDS = TokenFile(
    token_url="https://i.test/t", client_id="c", access="tokens.a b", refresh="tokens.r", expires="tokens.e"
)
WRITTEN = {"a b", "r", "e"}
OLD = Tokens(Secret("planted-access"), Secret("planted-refresh"))


@given(ISSUERS, REPLIES, st.sampled_from([None, OLD]))
def test_any_reply_is_tokens_or_a_refusal(issuer: Issuer, reply: Reply, old: Tokens | None) -> None:
    """A reply is understood or refused, and a refusal does not repeat what is not a short word."""
    tokens, told = None, ""
    try:
        tokens = read_tokens(issuer, reply, now=1e9, old=old)
    except IssuerRefused as refused:
        told = refused.text
    assert "planted" not in told
    assert len(told) < 200
    if tokens is not None:
        assert tokens.access
        assert tokens.lifetime is None or tokens.lifetime >= 0
        assert old is None or tokens.refresh


@given(ISSUERS, REPLIES)
def test_any_reply_in_a_device_login(issuer: Issuer, reply: Reply) -> None:
    """The device flow takes a reply for what it is, or refuses it."""
    try:
        device = read_device(issuer, reply, now=1e9)
    except IssuerRefused:
        pass
    else:
        assert isinstance(device, DeviceCode)
        assert device.interval > 0
    try:
        granted = read_device_tokens(issuer, reply, now=1e9)
    except IssuerRefused:
        pass
    else:
        assert isinstance(granted, Tokens | Grant)


@given(st.text(max_size=80))
def test_any_address_that_is_pasted(text: str) -> None:
    """What a user pastes holds our code or is refused."""
    told = ""
    try:
        assert read_callback(text, state="the state")
    except IssuerRefused as refused:
        told = refused.text
    assert len(told) < 200


@given(HEADERS)
def test_any_wish_to_be_left_alone(headers: dict[str, str]) -> None:
    """A wait is between nothing and an hour."""
    wait = retry_after(headers)
    assert wait is None or 0 <= wait <= 3600


@given(st.binary(max_size=60) | VALUES.map(msgspec.json.encode))
def test_any_claims(payload: bytes) -> None:
    """A token whose payload is anything tells nothing wrong of its holder, nor stops us."""
    token = f"e30.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.x"
    assert isinstance(holder_of(CODEX, token, token), Holder)
    assert isinstance(holder_of(KIMI, "", token), Holder)
    assert len(life_of(token)) == 2


@given(VALUES)
def test_any_expiry(value: object) -> None:
    """An expiry is a moment or nothing."""
    found = moment(value)
    assert found is None or isinstance(found, float)


@given(MEMBERS, MEMBERS, st.sampled_from([None, -1, 0, 1, 2, 4, 8]))
def test_siblings_stay(outer: dict[str, object], inner: dict[str, object], indent: int | None) -> None:
    """Whatever is beside the tokens in a file is there afterwards, in its order."""
    table = {**outer, "tokens": {**inner, "a b": "old"}}
    data = msgspec.json.encode(table)
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        path = Path(folder) / "f.json"
        path.write_bytes(data if indent is None else msgspec.json.format(data, indent=indent))
        path.chmod(0o600)
        file = OAuthFile(path, FIELDS, locks=Path(folder))
        file.save(Login("oauth", Tokens(Secret("new"), Secret("r1"), expires_at=1e9)))
        after = msgspec.json.decode(path.read_bytes())
    assert list(after) == list(table)
    assert {**after, "tokens": 0} == {**table, "tokens": 0}
    assert [name for name in after["tokens"] if name not in WRITTEN] == [name for name in inner if name not in WRITTEN]
    assert {name: after["tokens"][name] for name in inner.keys() - WRITTEN} == (
        {name: inner[name] for name in inner.keys() - WRITTEN}
    )
    assert (after["tokens"]["a b"], after["tokens"]["r"]) == ("new", "r1")
