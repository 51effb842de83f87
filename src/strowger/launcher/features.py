"""Which features of Claude Code survive behind a gateway, by its version and by how it gets there. Facts as data.

Where each is from stands beside it: "documented" is Anthropic's documentation of Claude Code (LLM gateways, Remote
Control, environment variables), "seen" a run of that version against a stand-in, "read" the program itself. What nobody
has documented, seen or read is unknown, and said to be. Must not know which Claude Code is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Version = tuple[int, ...]
Survival = Literal["yes", "off", "partly", "no", "unknown"]
"""`off` can be brought back by a setting, `no` cannot."""

MODES = {
    "run": "`strowger run claude`",
    "token": "started by yourself with ANTHROPIC_BASE_URL and a token",
    "client": 'ANTHROPIC_BASE_URL alone, with its own claude.ai login (`auth = "client"`)',
}
"""How Claude Code gets to the gateway."""


class Feature(Struct, frozen=True, kw_only=True):
    """A feature in one version: how it fares in each entry mode, why, and what the documentation says against it."""

    name: str
    run: Survival
    token: Survival
    client: Survival
    why: str
    setting: str | None = None


class _Span(Struct, frozen=True):
    """What holds from one version on."""

    since: Version
    feature: Feature


def _alike(name: str, survival: Survival, why: str, setting: str | None = None) -> Feature:
    return Feature(name=name, run=survival, token=survival, client=survival, why=why, setting=setting)


_TOOL_SEARCH, _STREAMING, _WINDOW = "tool search", "fine-grained tool streaming", "1M context"
_REMOTE, _AUTO, _HOSTED = "Remote Control", "auto mode", "hosted MCP"

_SWITCHED = "`strowger run` switches it on where the provider takes it"
_OFF = f"off behind any base URL but Anthropic's; {_SWITCHED}"


def _switched_on(name: str, otherwise: Survival, why: str, setting: str) -> Feature:
    return Feature(name=name, run="partly", token=otherwise, client=otherwise, why=why, setting=setting)


# Of each feature, what holds from a version on; below the first, and where a span says so, nobody knows.
_SPANS: dict[str, tuple[_Span, ...]] = {
    _TOOL_SEARCH: (
        # documented: off behind a base URL of another host; seen in 2.1.197
        _Span((2, 1, 197), _switched_on(_TOOL_SEARCH, "off", _OFF, "ENABLE_TOOL_SEARCH=true")),
        # seen in 2.1.329: on behind any base URL; which version between changed it is not known
        _Span(
            (2, 1, 198),
            _switched_on(
                _TOOL_SEARCH,
                "unknown",
                f"off up to 2.1.197, on from 2.1.329; in between nobody looked; {_SWITCHED}",
                "ENABLE_TOOL_SEARCH=true",
            ),
        ),
        _Span((2, 1, 329), _alike(_TOOL_SEARCH, "yes", "on; for models of other vendors Strowger translates it")),
    ),
    _STREAMING: (
        # documented; seen in 2.1.197 and 2.1.329
        _Span(
            (2, 1, 197),
            _switched_on(_STREAMING, "off", _OFF, "CLAUDE_CODE_ENABLE_FINE_GRAINED_TOOL_STREAMING=1"),
        ),
    ),
    _WINDOW: (
        # seen in 2.1.197: the beta travels, the suffix does not; unknown names get 200,000
        _Span(
            (2, 1, 197),
            _alike(
                _WINDOW,
                "yes",
                "for Claude's models, with [1m] behind the name; it takes other models for 200,000 tokens, unless "
                "`strowger run` tells it what they have",
            ),
        ),
        # seen in 2.1.329: unknown names get a million
        _Span(
            (2, 1, 329),
            _alike(
                _WINDOW,
                "yes",
                "it takes every model that it does not know for one of a million tokens, unless `strowger run` tells "
                "it what that one has",
                "CLAUDE_CODE_AUTO_COMPACT_WINDOW=TOKENS, for a smaller model",
            ),
        ),
    ),
    _REMOTE: (
        # documented: refused with a key or a token in the environment since 2.1.139
        _Span(
            (2, 1, 139),
            Feature(
                name=_REMOTE,
                run="no",
                token="no",
                client="unknown",
                why="Claude Code refuses it where a key or a token is set",
            ),
        ),
        # documented, and seen in 2.1.197: refused on any base URL but Anthropic's; 2.1.329 has the same words (read)
        _Span(
            (2, 1, 196),
            _alike(
                _REMOTE,
                "no",
                "Claude Code itself refuses it on any base URL but Anthropic's, and where a key or a token is set; "
                "no setting changes that. For it, start plain `claude` with your claude.ai login",
            ),
        ),
    ),
    _AUTO: (
        # documented: from 2.1.278 on the server judges, in fields of its own; seen in 2.1.329
        _Span(
            (2, 1, 278),
            Feature(
                name=_AUTO,
                run="partly",
                token="partly",
                client="yes",
                why="Anthropic's servers judge its actions: where Claude answers that passes through untouched; other "
                "vendors cannot, and Strowger leaves the question out",
                setting="CLAUDE_CODE_AUTO_MODE_SERVER=0, to do without",
            ),
        ),
    ),
    _HOSTED: (
        # read in 2.1.329: the connectors of claude.ai need its login to be the one that pays; not run
        _Span(
            (2, 1, 329),
            Feature(
                name=_HOSTED,
                run="no",
                token="no",
                client="unknown",
                why="connectors of claude.ai need its login, which a token takes the place of; servers in your own "
                "configuration are not affected",
            ),
        ),
    ),
}


def features(version: Version | None) -> Iterator[Feature]:
    """How each feature fares in a version; all unknown where it is not known which one it is."""
    for name, spans in _SPANS.items():
        found = [span.feature for span in spans if version is not None and span.since <= version]
        yield found[-1] if found else _alike(name, "unknown", "nobody has looked in this version")


def remote_control(version: Version | None, *, gateway: bool) -> str:
    """The plain truth on Remote Control, for who has asked for it: behind a gateway, or with Claude Code on its own."""
    found = next(feature for feature in features(version) if feature.name == _REMOTE)
    named = f"Claude Code {'.'.join(map(str, version))}" if version else "this Claude Code"
    if not gateway:
        says = "only where it goes to Anthropic's own address, with its own claude.ai login"
        return f"note: {named} allows Remote Control {says}; nothing here changes that"
    if found.run == "no":
        return f"note: no Remote Control in this session of {named}: {found.why}"
    return f"note: whether {named} allows Remote Control through a gateway is not known: {found.why}"
