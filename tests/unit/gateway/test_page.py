"""The dashboard's files: what goes with them, and what must never be in them."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from strowger.errors import UnknownPath
from strowger.gateway.page import answer

NAMES = sorted(each.name for each in files("strowger.gateway").joinpath("dashboard").iterdir())
SCRIPTS = [name for name in NAMES if name.endswith(".js")]


def text(name: str) -> str:
    """Of a file."""
    return answer(name)[1].decode()


def test_the_page_itself() -> None:
    """Without a name, with a policy that lets it load and ask nothing but its own gateway."""
    headers, body = answer("")
    told = dict(headers)
    assert body.startswith(b"<!doctype html>")
    assert told["Content-Type"] == "text/html; charset=utf-8"
    assert told["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in told["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"


@pytest.mark.parametrize("name", ["..", "../admin.py", "style.css/", "nothing.js", "Style.css", "\0", "dashboard"])
def test_nothing_else_is_served(name: str) -> None:
    """A name is one of those that lie in the folder."""
    with pytest.raises(UnknownPath):
        answer(name)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    """No address of another host stands in any file; the name of SVG's vocabulary is none."""
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text(name).replace("http://www.w3.org/2000/svg", "")) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_text_stays_text(name: str) -> None:
    """Nothing is taken for markup or for a script, whoever wrote it, and no style stands in an attribute."""
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|javascript:"
    )
    assert re.findall(forbidden, text(name)) == []
    assert "setAttribute('style'" not in text(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_import_is_there(name: str) -> None:
    """What a script takes from another one, that one gives; nothing is taken in vain."""
    for names, other in re.findall(r"import \{([^}]*)\} from '\./([\w.]+)';", text(name)):
        for each in (part.strip() for part in names.split(",")):
            assert re.search(rf"export (?:async )?(?:function|const|class) {each}\b", text(other)), (each, other)
            assert len(re.findall(rf"\b{each}\b", text(name))) > 1, each


def test_the_page_names_files_that_are_there() -> None:
    """Links of the page lead to files."""
    named = set(re.findall(r'/_strowger/page/([\w.]+)"', text("index.html")))
    assert named
    assert named <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_small(name: str) -> None:
    """As all others."""
    assert text(name).count("\n") <= 300
