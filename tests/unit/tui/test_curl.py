"""A recorded request as a command for a shell."""

from __future__ import annotations

import shlex

from strowger.client import MessageHead
from strowger.tui.curl import as_curl


def test_a_shell_reads_it_as_it_was() -> None:
    """Quotes in the body, in a header; and a place for the key."""
    headers = (("Authorization", "Bearer ***"), ("X-Odd", 'it\'s "so" $HOME `id`'), ("Host", "gateway.test"))
    command = as_curl("http://127.0.0.1:4000/", MessageHead("client_request", 0, "POST /v1/x?a=b", headers), b"it's $1")
    read = shlex.split(command.replace("\\\n", ""))
    assert read[:5] == ["curl", "-sN", "-X", "POST", "http://127.0.0.1:4000/v1/x?a=b"]
    assert read[read.index("-H") + 1] == "Authorization: Bearer $TOKEN"
    assert 'X-Odd: it\'s "so" $HOME `id`' in read
    assert read[-2:] == ["--data-binary", "it's $1"]
    assert "gateway.test" not in command


def test_only_the_place_of_the_key_is_filled_in_by_the_shell() -> None:
    """What stands beside it in the same header is not."""
    headers = (("X-Api-Key", 'a"`id`***'),)
    assert '-H "X-Api-Key: a\\"\\`id\\`$TOKEN"' in as_curl("http://x", MessageHead("", 0, "POST /", headers), b"")
