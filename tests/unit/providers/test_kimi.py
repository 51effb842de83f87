"""What Kimi Code wants of a request."""

from __future__ import annotations

from strowger import __version__
from strowger.auth.credential import Credential
from strowger.config.references import Secret
from strowger.providers.kimi import KimiTerms
from strowger.providers.terms import Facts
from strowger.upstreams.base import Outgoing

CLIENT = (
    ("User-Agent", "KimiCLI/1.37.0"),
    ("X-Msh-Os-Version", "9"),
    ("X-Msh-Device-Name", "theirs"),
    ("Accept", "*/*"),
)
OURS = (("X-Msh-Platform", "strowger"), ("X-Msh-Device-Id", "d-1"))


def test_a_login_is_used_in_our_own_name() -> None:
    """What a client says of itself and of its device stays behind; our name and our device go along."""
    login = Credential("authorization", Secret("token"), companions=OURS)
    out = Outgoing("POST", "https://api.kimi.com/coding/v1/chat/completions", (*CLIENT, *OURS), b"{}")
    sent = KimiTerms().outgoing(out, Facts(), [login])
    assert sent.headers == (("Accept", "*/*"), *OURS, ("User-Agent", f"strowger/{__version__}"))
    assert (sent.url, sent.body) == (out.url, out.body)


def test_a_key_is_used_in_the_name_of_the_client() -> None:
    """A key says nothing of a device, so nothing is changed."""
    out = Outgoing("POST", "https://api.kimi.com/coding/v1/messages", CLIENT, b"{}")
    assert KimiTerms().outgoing(out, Facts(), [Credential("x-api-key", Secret("key"), "raw")]) is out
