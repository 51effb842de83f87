"""The dashboard's files, as they lie in the package. They hold nothing: what they show they ask of the admin API.

So they need no token, and are open to whoever can reach the gateway. The policy that goes with them lets the page load
and ask nothing but this gateway, run no script that is not a file of ours, and be framed by nobody.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from strowger.errors import UnknownPath
from strowger.upstreams.base import Headers

_FOLDER = "dashboard"
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Headers = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
    ("Cache-Control", "no-cache"),
)


def answer(name: str) -> tuple[Headers, bytes]:
    """Headers and bytes of a file; without a name, of the page itself. Raises UnknownPath."""
    kind, body = _file(name or "index.html")
    return (("Content-Type", kind), *_HEADERS), body


@lru_cache(maxsize=32)
def _file(name: str) -> tuple[str, bytes]:
    folder = files(__package__).joinpath(_FOLDER)
    for each in folder.iterdir():  # a name is compared and never becomes part of a path
        if each.name == name and (kind := _TYPES.get(name.rpartition(".")[2])) is not None:
            return kind, each.read_bytes()
    raise UnknownPath(f"the dashboard has no {name[:60]!r}")
