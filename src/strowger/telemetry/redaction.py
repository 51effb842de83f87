"""Credentials taken out of what is written down: the last look at every text before it is in a log.

Nothing secret should get this far. What does is told by its looks: the prefixes that vendors give their keys, the forms
of tokens, and values that stand behind a word for a secret. Pure, but for the count of what was found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

HIDDEN = "***"
"""Stands for what is secret."""

_HARMLESS = frozenset({int, float, bool, type(None)})
# Shorter texts hold no credential that any rule knows.
_SHORTEST = 12
# The same few texts (agents, paths, models, sessions) come with every call.
_MOST_REMEMBERED = 4096
_LONGEST_REMEMBERED = 400

# One look at a text in lower case, which nearly always finds nothing. Whatever a rule finds has one of these in it.
_SUSPECT = re.compile(
    r"sk-|[rp]k[_-]|eyj|a[ks]ia|gh[pousr]_|github_pat|glpat-|xox|aiza|ya29|1//|gsk_|xai-|hf_|r8_|nvapi-|pplx-|csk-|fw_"
    r"|tgp_|strowger-|bearer|basic|key|pass|pwd|secret|auth|token|credential|signature|cookie|://"
)

_VALUE = r"[A-Za-z0-9_\-./+=~%]"
_BEFORE = r"(?<![A-Za-z0-9])"
# What is said between a word for a secret and the secret: `key: `, `key=`, `"key": "`, `key provided: `, `key is `.
# Bounded everywhere: a text may be long, and somebody else's.
_GAP = (
    r"[\"'`]{0,2}\s{0,4}(?:(?:provided|given|sent|used|supplied|received|is|was)\s{0,4})?(?:[:=]|=>|(?<=\s))"
    r"\s{0,4}[\"'`]{0,2}"
)
_HAS_DIGIT = r"(?=[^\s\"']{0,200}\d)"
_WORDS = (
    r"api[ _-]?keys?|access[ _-]?keys?|secret[ _-]?(?:access[ _-]?)?keys?|keys?|passw(?:or)?d|passphrase|pwd|secret"
    r"|client[ _-]?secret|(?:access|refresh|id|auth|session|bearer|security)[ _-]?token|token|credentials?|signature"
    r"|x-api-key|x-goog-api-key|x-amz-security-token|cookie"
)

# Name, pattern, what stands instead. Compiled when something is suspicious for the first time.
_RULES: tuple[tuple[str, str, str], ...] = (
    (
        "private_key",
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)",
        HIDDEN,
    ),
    ("jwt", _BEFORE + r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}", HIDDEN),
    # `sk-strowger-NAME` names a provider and is no key; a launch's token is one
    ("vendor_key", _BEFORE + r"(sk-(?!strowger-)|csk-|fw_|tgp_)[A-Za-z0-9_-]{12,}", rf"\1{HIDDEN}"),
    ("vendor_key", _BEFORE + r"([rp]k[_-](?:live|test|prod)[_-])[A-Za-z0-9_-]{8,}", rf"\1{HIDDEN}"),
    (
        "vendor_key",
        _BEFORE + r"(gh[pousr]_|github_pat_|glpat-|gsk_|xai-|hf_|r8_|nvapi-|pplx-)\w[\w-]{11,}",
        rf"\1{HIDDEN}",
    ),
    ("vendor_key", _BEFORE + r"(xox[a-z]-)[A-Za-z0-9-]{8,}", rf"\1{HIDDEN}"),
    ("vendor_key", _BEFORE + r"(AIza|ya29\.|1//)[A-Za-z0-9_./-]{12,}", rf"\1{HIDDEN}"),
    ("vendor_key", _BEFORE + r"(A[KS]IA)[A-Z0-9]{12,}", rf"\1{HIDDEN}"),
    ("our_token", _BEFORE + r"strowger-[A-Za-z0-9_-]{32,}", HIDDEN),
    # no word of a sentence ("a basic instruction", "Basic Authentication") has a capital inside, or 24 letters
    (
        "bearer",
        rf"(?i)\b(bearer|basic)(\s+)(?!\*{{3}})(?:(?=.(?-i:[a-z_\-./+~%]*[A-Z0-9=])){_VALUE}{{8,}}|{_VALUE}{{24,}})",
        rf"\1\2{HIDDEN}",
    ),
    ("password_in_url", r"(?i)(://[^/\s:@\"']*:)(?!\*{3}@)[^/\s@\"']+(?=@)", rf"\1{HIDDEN}"),
    ("password_in_url", r"(?i)(://)[^/\s:@\"']{16,}(?=@)", rf"\1{HIDDEN}"),
    # a value behind a word: of a length that no word of a sentence has, or with a digit in it
    (
        "named",
        rf"(?i)(?<![A-Za-z])((?:{_WORDS}){_GAP}){_HAS_DIGIT}(?!\*{{3}}){_VALUE}{{8,}}",
        rf"\1{HIDDEN}",
    ),
    ("named", rf"(?i)(?<![A-Za-z])((?:{_WORDS}){_GAP})(?!\*{{3}}){_VALUE}{{24,}}", rf"\1{HIDDEN}"),
)

# Members whose whole value is nobody's business, whatever it looks like.
_SECRET_NAMES = re.compile(
    r"(?i)^(?:authorization|proxy-authorization|cookie|set-cookie|password|passwd|secret|client_secret|token"
    r"|(?:access|refresh|id|admin|client|session|api)_token|api[_-]?key|x-api-key|x-goog-api-key|x-strowger-token)$"
)

RULES = tuple(dict.fromkeys((*(name for name, _, _ in _RULES), "member")))
"""The names under which finds are counted."""


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    return tuple((name, re.compile(pattern), instead) for name, pattern, instead in _RULES)


class Redaction:
    """Takes credentials out of texts, and counts what it found by rule. Not for several threads at once."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._clean: set[str] = set()
        self._names: dict[str, bool] = {}

    def text(self, text: str) -> str:
        """The text, with `***` for what looks like a credential."""
        if len(text) < _SHORTEST or text in self._clean:
            return text
        if _SUSPECT.search(text.lower()) is not None:
            clean = text
            for name, pattern, instead in _rules():
                clean, times = pattern.subn(instead, clean)
                if times:
                    self.found[name] += times
            if clean != text:  # which is not remembered: it shall count each time
                return clean
        self._remember(text)
        return text

    def fields(self, fields: Mapping[str, object]) -> Mapping[str, object]:
        """Plain data, however deep, with its texts looked at; the same object where nothing was found."""
        if self._is_clean(fields):
            return fields
        return {name: self._member(name, value) for name, value in fields.items()}

    def _is_clean(self, fields: Mapping[str, object]) -> bool:
        """Whether all of it is known or found to be clean. Nearly every line is, so this is what a line costs."""
        known, names = self._clean, self._names
        for name, value in fields.items():
            kind = type(value)
            if kind is str:
                if names.get(name, True) and value and self._is_secret(name):
                    return False
                if value not in known and len(value) >= _SHORTEST and not self._is_harmless(value):  # type: ignore[arg-type]
                    return False
            elif kind in _HARMLESS or not value:
                continue
            elif kind is dict:
                if not self._is_clean(value):  # type: ignore[arg-type]
                    return False
            elif kind is list or kind is tuple:
                for each in value:  # type: ignore[attr-defined]
                    if type(each) is dict:
                        if not self._is_clean(each):
                            return False
                    elif type(each) is not str or not self._is_harmless(each):
                        return False
            else:
                return False
        return True

    def _is_harmless(self, text: str) -> bool:
        """Whether nothing in it is even suspicious."""
        if _SUSPECT.search(text.lower()) is not None:
            return False
        self._remember(text)
        return True

    def _remember(self, text: str) -> None:
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self._clean) >= _MOST_REMEMBERED:
                self._clean.clear()
            self._clean.add(text)

    def _is_secret(self, name: str) -> bool:
        found = self._names.get(name)
        if found is None:
            found = _SECRET_NAMES.match(name) is not None
            if len(self._names) < _MOST_REMEMBERED:
                self._names[name] = found
        return found

    def _member(self, name: str, value: object) -> object:
        if isinstance(value, str) and value and self._is_secret(name):
            self.found["member"] += 1
            return HIDDEN
        return self._value(value)

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(name): self._member(str(name), each) for name, each in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [self._value(each) for each in value]
        return value
