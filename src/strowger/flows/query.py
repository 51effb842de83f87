"""The short language in which flows are chosen: `model:gpt-5* status:>=400 -provider:codex since:2h`.

All terms must hold; one holds for any of its values (`model:opus,sonnet`). A filter can be asked about a summary, and
can be said in SQL over the store's columns: both give the same answer. Must not know stores.
"""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from strowger.errors import BadRequest
from strowger.flows.filters import Begins, Compared, Empty, Filter, Has, Like, Operator, Same, Term, Test, lower

_LONGEST = 10_000
"""Characters of a filter."""
_MOST = 200
"""Values in one; SQLite nests expressions to a limit of its own."""

Kind = Literal["word", "id", "text", "number", "time", "size", "flag", "when"]


class Field(Struct, frozen=True):
    """What can be asked about. `columns` are keys of a summary (counts of tokens among them, without `tokens`), or sums
    and lengths that `_COUNTED` has.

    `unit` is what a number without one is multiplied with; `choices` are all the words there are, where they are few.
    `begins` is how every id begins, so that it may be left out, as it is in tables.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    says: str
    unit: float = 1
    choices: tuple[str, ...] = ()
    begins: str = ""


def _field(
    name: str, kind: Kind, says: str, *columns: str, unit: float = 1, choices: str = "", begins: str = ""
) -> Field:
    return Field(name, kind, columns or (name,), says, unit, tuple(choices.split()), begins)


_FIELDS = (
    _field("model", "word", "the model that was asked for, or that answered", "model", "upstream_model"),
    _field("upstream_model", "word", "the model that was asked upstream"),
    _field("response_model", "word", "what the model that answered calls itself"),
    _field("provider", "word", "who answered"),
    _field("account", "word", "the account that answered, where its provider has several"),
    _field("route", "word", "the route that the call took"),
    _field("lane", "word", "how the call was carried", choices="verbatim translate"),
    _field("session", "id", "the client's session, or the beginning of its id"),
    _field("id", "id", "the flow, or the beginning of its id", begins="flow_"),
    _field("agent_id", "id", "the sub-agent"),
    _field("parent_agent_id", "id", "who started the sub-agent"),
    _field("agent_type", "word", "what kind of sub-agent it was"),
    _field("request_class", "word", "what the client said that the call is for"),
    _field("launch", "id", "the launch of the client"),
    _field("replay_of", "id", "the flow that this one repeats", begins="flow_"),
    _field("program", "word", "the client program: claude, codex, gemini, …"),
    _field("agent", "text", "a part of the User-Agent"),
    _field("client", "word", "the address of the client"),
    _field("profile", "word", "the profile of the client"),
    _field("project", "text", "a part of the directory that the client works in"),
    _field("method", "word", "GET, POST, …"),
    _field("path", "text", "a part of the path that was asked"),
    _field("dialect", "word", "the dialect of the client"),
    _field("upstream_dialect", "word", "the dialect of the provider"),
    _field("outcome", "word", "how it ended", choices="running ok failed cancelled stopped lost"),
    _field("finish", "word", "why the answer ended"),
    _field("error", "text", "a part of the error, or its kind", "error", "error_kind"),
    _field("error_kind", "word", "the kind of the error"),
    _field("billing", "word", "who pays", choices="metered plan free"),
    _field("upstream_request_id", "id", "the provider's name for the call"),
    _field("stream", "flag", "whether the answer was asked for as a stream"),
    _field("estimated", "flag", "whether the tokens are an estimate", "tokens_estimated"),
    _field("status", "number", "the HTTP status that the client got: 429, >=400, 5xx"),
    _field("cost", "number", "US dollars: >0.10", "billed_usd"),
    _field("billed_usd", "number", "the same"),
    _field("tokens", "number", "tokens in and out: >100k"),
    _field("input", "number", "tokens of the prompt, cached ones included"),
    _field("output", "number", "tokens of the answer"),
    _field("cache_read", "number", "tokens of the prompt that were read from the cache"),
    _field("cache_write", "number", "tokens of the prompt that were written to the cache"),
    _field("reasoning", "number", "tokens of thought"),
    _field("losses", "number", "how many things could not be carried"),
    _field("loss", "text", "a part of what could not be carried: its place, or why", "losses_text"),
    _field("notes", "number", "how many remarks were made"),
    _field("note", "text", "a part of a remark", "notes_text"),
    _field("attempts", "number", "how many upstreams were tried"),
    _field("tried", "text", "a part of what was tried: provider:model, an account, a reason", "attempts_text"),
    _field("events", "number", "events of the answer"),
    _field("request_bytes", "size", "the size of the request: >1mb"),
    _field("response_bytes", "size", "the size of the answer"),
    _field("duration", "time", "how long it took: >30s", "duration_ms", unit=1000),
    _field("duration_ms", "time", "the same, in milliseconds where no unit is given"),
    _field("first_byte", "time", "when the client got the first byte", "first_byte_ms", unit=1000),
    _field("first_byte_ms", "time", "the same, in milliseconds where no unit is given"),
    _field("upstream_first_byte_ms", "time", "when the provider's first byte came"),
    _field("since", "when", "began in the last 2h, or since 2026-11-21, 14:30, today, yesterday", "started"),
    _field("until", "when", "began before", "started"),
)
FIELDS = {field.name: field for field in _FIELDS}
"""Every field by its name."""

COLUMNS = frozenset(column.removesuffix("_text") for field in _FIELDS for column in field.columns if column != "tokens")
"""The columns that the SQL form reads; `losses`, `notes` and `attempts` hold JSON lists."""

_SEARCHED = tuple("model upstream_model session id error error_kind provider program path project agent_type".split())
"""Where words without a field are looked for."""


class BadFilter(BadRequest):
    """A filter that cannot be understood. `at` is the place in `text`, counted from 0; `width` how long it is."""

    exit_code = 2

    def __init__(self, message: str, *, text: str, at: int, width: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, param="where")
        self.text_of_filter = text
        self.at = at
        self.width = width

    def __str__(self) -> str:
        # Cut out around the place, so that the mark stands below it on any terminal.
        begin = max(0, self.at - 40)
        shown = self.text_of_filter[begin : self.at + max(self.width, 30)].replace("\n", " ").replace("\t", " ")
        dots = "…" if begin else ""
        mark = "^" * max(1, min(self.width, len(shown) - (self.at - begin)))
        return f"{self.message}\n  {dots}{shown}\n  {' ' * (len(dots) + self.at - begin)}{mark}"


_HEAD = re.compile(r"([A-Za-z][A-Za-z0-9_.]*)(:|(?=[<>]=?|=))")
_NUMBER = re.compile(r"(<=|>=|<|>|=)?\$?(\d+(?:\.\d+)?|\.\d+)([A-Za-z]*)")
_RANGE = re.compile(r"(\$?[\d.]*\d[A-Za-z]*)\.\.(\$?[\d.]*\d[A-Za-z]*)")
_HUNDREDS = re.compile(r"([1-5])(?:xx|\*)", re.IGNORECASE)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h|d|w)")

_UNITS: dict[str, dict[str, float]] = {
    "number": {"k": 1e3, "m": 1e6},
    "size": {
        "b": 1, "k": 1024, "kb": 1024, "kib": 1024, "m": 1024**2, "mb": 1024**2, "mib": 1024**2, "g": 1024**3,
        "gb": 1024**3, "gib": 1024**3,
    },
    "time": {"ms": 1, "s": 1e3, "m": 6e4, "min": 6e4, "h": 3.6e6, "d": 8.64e7},
}  # fmt: skip
_OPERATORS: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "="}
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_FLAGS = {"yes": 1, "true": 1, "on": 1, "1": 1, "no": 0, "false": 0, "off": 0, "0": 0}


def parse(text: str, *, now: float | None = None) -> Filter:
    """Read a filter. `now` is the Unix time that `since:2h` counts back from. Raises BadFilter."""
    text = text.encode("utf-8", "replace").decode()  # half a character is in no store
    return _Reader(text, time.time() if now is None else now).filter()


def seconds(text: str) -> float | None:
    """A time span such as `7d`, `90m` or `1.5h`, in seconds; None when it is none."""
    found = _SPAN.fullmatch(text.strip().lower())
    return float(found[1]) * _SECONDS[found[2]] if found else None


class _Word(Struct, frozen=True):
    """A value as written, and where; `quoted` ones have no signs of their own meaning."""

    text: str
    at: int
    width: int
    quoted: bool = False


def _forms(begins: str, word: _Word) -> tuple[_Word, ...]:
    """As it stands, and as the whole id begins where that was left out."""
    text = word.text.removeprefix("=") if not word.quoted and len(word.text) > 1 else word.text
    if not text or text == "*" or lower(text).startswith(begins):
        return (word,)
    return word, replace(word, text=begins + text)


class _Reader:
    """Goes through the text once."""

    def __init__(self, text: str, now: float) -> None:
        self._text = text
        self._now = now
        self._at = 0

    def filter(self) -> Filter:
        if len(self._text) > _LONGEST:
            raise self._error(f"a filter has at most {_LONGEST:,} characters", _LONGEST, 1)
        terms = []
        tests = 0
        while self._skip_blanks():
            at = self._at
            terms.append(self._term())
            tests += len(terms[-1].alternatives) * len(terms[-1].columns)
            if tests > _MOST:
                raise self._error("these are too many values for one filter", at, self._at - at)
        return Filter(tuple(terms), self._text.strip())

    def _skip_blanks(self) -> bool:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at < len(self._text)

    def _term(self) -> Term:
        begin = self._at
        negated = self._text[begin] in "-!"
        if negated:
            self._at += 1
        head = _HEAD.match(self._text, self._at)
        if head is None:
            return self._bare(begin, negated)
        field = FIELDS.get(head[1].lower())
        if field is None:
            raise self._unknown(head[1])
        self._at = head.end()
        words = self._words()
        if not words:
            hint = f'`{field.name}:""` finds those without one; there is no blank after the colon'
            raise self._error(f"nothing stands after `{field.name}:`", begin, self._at - begin, hint)
        if field.begins:
            words = [form for word in words for form in _forms(field.begins, word)]
        return Term(field.columns, tuple(self._tests(field, word) for word in words), negated)

    def _bare(self, begin: int, negated: bool) -> Term:
        words = self._words()
        if not words or not all(word.text for word in words):
            raise self._error("there is nothing to search for", begin, max(1, self._at - begin))
        if len(words) == 1 and not words[0].quoted and words[0].text in ("or", "and", "OR", "AND", "|", "||", "&&"):
            hint = "terms beside each other must all hold; `model:a,b` holds for either"
            raise self._error(f"there is no `{words[0].text}`", begin, self._at - begin, hint)
        found = tuple((self._pattern(word, Has, inside=True),) for word in words)
        return Term(_SEARCHED, found, negated)

    def _unknown(self, name: str) -> BadFilter:
        close = get_close_matches(name.lower(), FIELDS, 2, 0.6)
        end = self._at
        while end < len(self._text) and not self._text[end].isspace():
            end += 1
        whole = self._text[self._at : end].replace('"', "")
        search = f"to search for the text: '\"{whole}\"'"
        listed = " or ".join(f"`{one}`" for one in close)
        hint = f"did you mean {listed}? Or, {search}" if close else search
        return self._error(f"there is no field `{name}`", self._at, len(name), hint)

    def _words(self) -> list[_Word]:
        """Values up to the next blank, with commas between them."""
        words: list[_Word] = []
        while self._at < len(self._text) and not self._text[self._at].isspace():
            words.append(self._quoted() if self._text[self._at] in "\"'" else self._plain())
            if self._at < len(self._text) and self._text[self._at] == ",":
                self._at += 1
                if self._at >= len(self._text) or self._text[self._at].isspace():
                    raise self._error("a value is missing after the comma", self._at - 1, 1)
        return words

    def _plain(self) -> _Word:
        begin = self._at
        while self._at < len(self._text) and self._text[self._at] != "," and not self._text[self._at].isspace():
            self._at += 1
        if self._at == begin:
            raise self._error("a value is missing before the comma", begin, 1)
        return _Word(self._text[begin : self._at], begin, self._at - begin)

    def _quoted(self) -> _Word:
        begin, sign = self._at, self._text[self._at]
        end = self._text.find(sign, begin + 1)
        if end < 0:
            hint = f"a shell takes quotation marks away: write the whole filter in the other kind than {sign}"
            raise self._error("a quotation mark is not closed", begin, 1, hint)
        self._at = end + 1
        if self._at < len(self._text) and self._text[self._at] != "," and not self._text[self._at].isspace():
            raise self._error("a blank is missing after the quotation mark", self._at, 1)
        return _Word(self._text[begin + 1 : end], begin, self._at - begin, quoted=True)

    # ---- one value ----

    def _tests(self, field: Field, word: _Word) -> tuple[Test, ...]:
        if word.text == "" and field.kind not in ("flag", "when"):
            return (Empty(),)
        if word.text == "*" and not word.quoted and field.kind not in ("flag", "when"):
            return (Empty(something=True),)
        match field.kind:
            case "word":
                self._check_choice(field, word)
                return (self._pattern(word, Same),)
            case "id":
                return (self._pattern(word, Begins),)
            case "text":
                return (self._pattern(word, Has, inside=True),)
            case "flag":
                return (self._flag(field, word),)
            case "when":
                return (Compared(">=" if field.name == "since" else "<", self._moment(field, word)),)
            case _:
                return self._numbers(field, word)

    def _pattern(self, word: _Word, otherwise: type[Same | Begins | Has], *, inside: bool = False) -> Test:
        text = lower(word.text.removeprefix("=") if not word.quoted and len(word.text) > 1 else word.text)
        if word.quoted or not ("*" in text or "?" in text):
            return otherwise(text)
        return Like(f"*{text}*" if inside else text)

    def _check_choice(self, field: Field, word: _Word) -> None:
        if not field.choices or "*" in word.text or "?" in word.text or lower(word.text) in field.choices:
            return
        close = get_close_matches(word.text.lower(), field.choices, 1, 0.5)
        listed = ", ".join(field.choices)
        hint = f"did you mean `{close[0]}`? There are {listed}" if close else f"there are {listed}"
        raise self._error(f"`{field.name}` is never `{word.text}`", word.at, word.width, hint)

    def _flag(self, field: Field, word: _Word) -> Test:
        wanted = _FLAGS.get(word.text.lower())
        if wanted is None:
            raise self._error(f"`{field.name}` is yes or no", word.at, word.width)
        return Compared("=", wanted)

    def _numbers(self, field: Field, word: _Word) -> tuple[Test, ...]:
        if field.name == "status" and (hundreds := _HUNDREDS.fullmatch(word.text)):
            low = int(hundreds[1]) * 100
            return Compared(">=", low), Compared("<", low + 100)
        if found := _RANGE.fullmatch(word.text):
            return (
                Compared(">=", self._number(field, word, found[1]).number),
                Compared("<=", self._number(field, word, found[2]).number),
            )
        return (self._number(field, word, word.text),)

    def _number(self, field: Field, word: _Word, text: str) -> Compared:
        found = _NUMBER.fullmatch(text)
        if found is None:
            example = {"time": ">30s", "size": ">1mb", "number": ">=400"}[field.kind]
            hint = f"such as `{field.name}:{example}`; {field.says}"
            raise self._error(f"`{word.text}` is no number", word.at, word.width, hint)
        units = _UNITS[field.kind]
        unit = found[3].lower()
        if unit and unit not in units:
            raise self._error(f"there is no unit `{found[3]}`", word.at, word.width, f"there are {', '.join(units)}")
        factor = units[unit] if unit else field.unit
        number = float(found[2]) * factor
        # Beyond 2^53 floats are whole anyway, and SQLite takes no larger integers than 2^63.
        return Compared(_OPERATORS[found[1] or "="], int(number) if number.is_integer() and number < 2**53 else number)

    def _moment(self, field: Field, word: _Word) -> float:
        text = word.text.strip().lower()
        span = seconds(text)
        if span is not None:
            return self._now - span
        today = datetime.fromtimestamp(self._now).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        if text in ("today", "yesterday"):
            return (today if text == "today" else today - timedelta(days=1)).timestamp()
        try:
            if re.fullmatch(r"\d{1,2}:\d{2}", text):
                hour, _, minute = text.partition(":")
                return today.replace(hour=int(hour), minute=int(minute)).timestamp()
            return datetime.fromisoformat(word.text.strip()).timestamp()
        except (ValueError, OverflowError):
            hint = f"such as `{field.name}:2h`, `{field.name}:14:30`, `{field.name}:today`, `{field.name}:2026-11-21`"
            raise self._error(f"`{word.text}` is no time", word.at, word.width, hint) from None

    def _error(self, message: str, at: int, width: int, hint: str | None = None) -> BadFilter:
        return BadFilter(message, text=self._text, at=at, width=width, hint=hint)
