"""Credentials in what is written down."""

from __future__ import annotations

import pytest

from strowger.telemetry.redaction import HIDDEN, RULES, Redaction

# None of these was ever anybody's.
PLANTED = {
    "anthropic": "sk-ant-api03-PLANTEDaaaaBBBBccccDDDD0123456789-xyz",
    "openai": "sk-proj-PLANTED0123456789abcdefghijklmnop",
    "google": "AIzaSyPLANTED0123456789abcdefghijklmno",
    "google login": "ya29.a0PLANTED_0123456789abcdefghij",
    "aws": "AKIAPLANTED012345678",
    "github": "ghp_PLANTED0123456789abcdefghijklmnopqr",
    "groq": "gsk_PLANTED0123456789abcdefghijklmnopqrstuv",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJQTEFOVEVEIjoxfQ.PLANTEDsignature_0123-456",
    "slack": "xoxb-PLANTED-0123456789",
    "ours": "strowger-PLANTED0123456789abcdefghijklmno",
    "no prefix": "PLANTED0123456789abcdef0123456789",
}
SENTENCES = (
    "Incorrect API key provided: {}. You can find yours on the site.",
    "the header was Authorization: Bearer {}",
    '{{"error": {{"api_key": "{}"}}}}',
    "https://user:{}@proxy.example:3128 refused",
    "https://api.example/v1?key={}&alt=sse",
    "invalid token '{}'",
    "x-api-key={}",
)


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("kind", PLANTED)
def test_nothing_that_looks_like_a_credential_is_left(kind: str, sentence: str) -> None:
    """Whatever says so: an error of the vendor's, an address, a line of JSON."""
    redaction = Redaction()
    told = redaction.text(sentence.format(PLANTED[kind]))
    assert "PLANTED" not in told
    assert HIDDEN in told
    assert redaction.found.total() >= 1
    assert set(redaction.found) <= set(RULES)


@pytest.mark.parametrize("kind", [kind for kind in PLANTED if kind != "no prefix"])
def test_a_known_form_needs_no_word_before_it(kind: str) -> None:
    """A key alone is a key."""
    assert "PLANTED0" not in Redaction().text(f"what is {PLANTED[kind]} doing here")


@pytest.mark.parametrize(
    "text",
    [
        "flow_0123456789abcdef",
        "c5a4b1a2-6f0e-4b8e-9d3e-0123456789ab",
        "req_011CUabcDEF0123456789",
        "claude-cli/2.1.329 (external, cli)",
        "accounts/fireworks/models/deepseek-v4-flash-0324",
        "the key names the provider 'anthropic-and-others', which is not configured",
        "there are: sk-strowger-anthropic, sk-strowger-deepseek-reasoner",
        "the environment variable ANTHROPIC_API_KEY is not set",
        "provider deepseek refused the configured credential: authentication fails",
        "cannot connect to https://api.example.com:443/v1/messages: refused",
        "the token limit of this model is 128000, and the request has 200000 tokens",
        "messages[3].content[1].citations",
        "a basic multiplication. Basic Authentication is another thing, and bearer instruments are, too",
        "check `auth` of providers.anthropic",
        "task-0123456789012345678901234567890123456789",
    ],
)
def test_what_helps_is_kept(text: str) -> None:
    """Ids, models, addresses and our own hints are why somebody reads a log."""
    assert Redaction().text(text) == text


def test_a_second_look_finds_nothing() -> None:
    """What was hidden stays as it is."""
    redaction = Redaction()
    once = [redaction.text(sentence.format(secret)) for sentence in SENTENCES for secret in PLANTED.values()]
    found = redaction.found.copy()
    assert [redaction.text(text) for text in once] == once
    assert redaction.found == found


def test_every_depth_is_looked_at() -> None:
    """Attempts, losses and notes are lists of objects; numbers and marks pass as they are."""
    key = PLANTED["openai"]
    plain: dict[str, object] = {"status": 401, "ok": False, "cost": 0.5, "error": None}
    line = {**plain, "notes": [key], "attempts": ({"error": f"no: {key}"},)}
    clean = Redaction().fields(line)
    assert "PLANTED" not in repr(clean)
    assert {name: clean[name] for name in plain} == plain


def test_a_member_that_is_called_a_secret_is_one() -> None:
    """Whatever its value looks like."""
    assert Redaction().fields({"password": "horse", "api_key": "battery", "tokens": {"input": 5}, "token": ""}) == {
        "password": HIDDEN, "api_key": HIDDEN, "tokens": {"input": 5}, "token": "",
    }  # fmt: skip


def test_every_secret_is_counted_each_time() -> None:
    """That a line had to be cleaned is worth knowing, every time."""
    redaction = Redaction()
    for _ in range(3):
        redaction.text(PLANTED["anthropic"])
    assert redaction.found["vendor_key"] == 3


@pytest.mark.parametrize(
    "text", ["key=" * 20_000, "key" + " " * 60_000, "://" * 20_000, "-----BEGIN PRIVATE KEY-----" * 999]
)
def test_a_long_text_takes_no_longer_than_it_is_long(text: str) -> None:
    """Texts come from upstreams: none may hold up the loop, as a rule that looks back and forth would."""
    assert len(Redaction().text(text)) <= len(text)
