"""The page that is given to somebody."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from strowger.flows.page import Call, render, without_repeats
from strowger.flows.transcript import Piece, Turn

EVIL = "</pre></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=alert(3)>"


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def call(said: str, name: str = "flow_1") -> Call:
    """A call that says the same thing wherever something can be said."""
    kinds = ("text", "thinking", "call", "result", "media", said)
    turn = Turn(said, tuple(Piece(kind, said, said) for kind in kinds))
    bodies, changes, events = ((said, (said,)),), (f"+{said}", said), ((0.5, said),)
    request = (said, said)
    return Call(name, said, ((said, said),), (turn,), turn, ((said, said),), request, bodies, changes, events, True)


def page(*calls: Call, title: str = "a call") -> str:
    return "".join(render(calls, title=title, made=title))


def test_whatever_was_said_is_text() -> None:
    """No tag, no attribute and no script comes from what was said; every place shows it in full."""
    harmless, evil = Seen(page(call("nothing"), call("n", "b"))), Seen(page(call(EVIL), call("n", EVIL), title=EVIL))
    assert evil.tags == harmless.tags
    assert [name for name, _ in evil.attributes] == [name for name, _ in harmless.attributes]
    assert evil.text.count(EVIL) >= 20
    assert evil.tags.count("script") == 1


@given(st.text("<>\"'&/ a;\n\x00", min_size=1, max_size=12))
@settings(max_examples=15)
def test_no_text_changes_the_page(said: str) -> None:
    """Whatever signs it has, blanks alone too."""
    assert Seen(page(call(said))).tags == Seen(page(call("x"))).tags


def test_it_asks_nobody_for_anything() -> None:
    """The policy in it allows its own script by its hash, and nothing else; no address of anything is in it."""
    text = page(call("hello"))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    script = re.search(r"<script>(.*)</script>", text, re.DOTALL)
    assert policy is not None
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert policy[1].startswith(f"default-src 'none'; script-src 'sha256-{digest}'")
    assert not {name for name, _ in Seen(text).attributes} & {"src", "action", "background", "srcset", "style"}
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text


def test_the_last_words_are_open_and_the_rest_is_folded() -> None:
    """Whoever opens it sees what was asked last and what was answered."""
    turns = tuple(Turn(role, (Piece("text", "words"),)) for role in ("user", "assistant", "user", "system"))
    text = page(Call("f", "t", (), turns, Turn("assistant", (Piece("text", "yes"),))))
    assert [" open" in tag for tag in re.findall(r"<details[^>]*>", text)] == [False, False, True, False, True]
    assert "<ol" not in text
    assert '<a href="#b">' in page(call("x", "a"), call("x", "b"))
    many = tuple((0.1, "ping") for _ in range(2_500))
    assert "and 500 more" in page(Call("f", "t", (), events=many))


def test_a_conversation_is_said_once() -> None:
    """What a call repeats of one before it is left out, with a word on where it is; another conversation is whole."""
    turns = tuple(Turn("user", (Piece("text", f"words {number}"),)) for number in range(6))
    other = tuple(Turn("user", (Piece("text", f"others {number}"),)) for number in range(3))
    tools = (("Bash", ""),)
    calls = [
        Call("a", "t", (), turns[:2], tools=tools, request=("x",)),
        Call("b", "t", (), other, tools=tools, request=("x",)),
        Call("c", "t", (), turns[:4], tools=tools, request=("x",)),
        Call("d", "t", (), turns, tools=tools, request=("x",)),
        Call("e", "t", (), turns, tools=(), request=("x",)),
        Call("f", "t", (), None, request=("x",)),
    ]
    found = list(without_repeats(calls))
    assert [(call.above, call.shown, call.turns) for call in found] == [
        ("", 0, turns[:2]),
        ("", 0, other),
        ("a", 2, turns[2:4]),
        ("c", 4, turns[4:]),
        ("", 0, turns),
        ("", 0, None),
    ]
    assert [len(call.request) for call in found] == [1, 1, 0, 0, 1, 1]
    text = page(*found)
    assert 'The first 4 messages are those of <a href="#c">a call above</a>.' in text
    assert text.count("words 1") == 2 * 2  # once in the first call and in the last; each with its preview
