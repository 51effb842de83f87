"""Making single parts fit an upstream: IR to IR, with a loss for whatever has to be left out or said otherwise.

For an upstream that takes everything (`wire.FAITHFUL`) and a request of this dialect it changes nothing. Knows no
order of turns and writes no JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Hashable, Iterable
from operator import is_

from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic.blocks import tool_input
from strowger.dialects.anthropic.wire import FOREIGN_ID, NAME, REDACTED, SIGNATURE, safe_id
from strowger.dialects.base import Capabilities, Loss, Severity
from strowger.dialects.effects import Effects, space
from strowger.dialects.envelope import MARK
from strowger.dialects.losses import extra_severity, extras_losses, says_nothing, thinking_loss
from strowger.dialects.names import ToolNames
from strowger.ir.request import (
    NO_EXTRAS,
    Audio,
    Base64,
    CacheHint,
    Document,
    Extras,
    FileId,
    Image,
    InlineText,
    Opaque,
    Part,
    Refusal,
    Request,
    ServerToolCall,
    ServerToolResult,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)

STABLE_EXTRAS = frozenset({"citations", "content", "context", "metadata", "signature", "stop_sequences", "system"})
"""Members without a field in the IR that every server of this dialect is expected to know or ignore."""

_MAGIC = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
)
"""How base64 of the kinds that the API takes begins."""

PDF = "application/pdf"
STABLE_BLOCKS = frozenset({"image", "document", "search_result"})


_NO_HINTS = "this provider has no cache breakpoints"
_ONCE = frozenset({_NO_HINTS})
"""Reasons that are told once for a request."""


class Fitting:
    """One request on its way to one upstream: what it takes, the tool names in use, and the losses so far.

    `own`: the request was parsed from this dialect. `names` maps the names that had to change back to the client's.
    `thinking_lost`: some thinking had to stay behind.
    """

    def __init__(self, request: Request, caps: Capabilities) -> None:
        self.own = request.origin == NAME
        self.origin = request.origin
        self.caps = caps
        self.losses: list[Loss] = []
        self._names = ToolNames(request, caps.max_tool_name)
        self.names = self._names.client
        self.thinking_lost = False
        self._told: set[str] = set()
        self._before: tuple[list[Loss], set[str], bool] = [], set(), False

    # ---- a part of a request ----

    def space(self, more: Hashable = None) -> int:
        """A number for what decides besides the parts of the request themselves. `more`: what else does here."""
        return space(NAME, self.origin, self.caps, more)

    def mark(self) -> None:
        """Take note of the names that are known, for `undo`."""
        self._names.mark()

    def undo(self) -> None:
        """Forget the names that were asked for since `mark`."""
        self._names.undo()

    def begin(self) -> None:
        """From here on, losses are those of a part, rendered as if it came first."""
        self._before = self.losses, self._told, self.thinking_lost
        self.losses, self._told, self.thinking_lost = [], set(), False
        self._names.begin()

    def end(self) -> Effects:
        """The effects since `begin`, which the request has not had yet."""
        losses = tuple([(loss.reason if loss.reason in _ONCE else "", loss) for loss in self.losses])
        self.losses, self._told, self.thinking_lost = self._before
        return Effects(losses, self._names.end())

    def holds(self, effects: Effects) -> bool:
        """Whether the names of tools are in this request what they were."""
        return self._names.hold(effects.names)

    def repeat(self, effects: Effects) -> None:
        """Have the effects of a part."""
        for once, loss in effects.losses:
            if once not in self._told:
                self.losses.append(loss)
                if once:
                    self._told.add(once)

    # ---- single parts ----

    def lose(self, path: str, reason: str, severity: Severity = "warning") -> None:
        """Record a loss."""
        self.losses.append(Loss(path, reason, severity))

    def name(self, name: str) -> str:
        """A tool name that the upstream takes."""
        return self._names.sent(name)

    def extras(self, extras: Extras, path: str) -> Extras:
        """The extras of a node that the upstream may get."""
        if not extras or (self.own and self.caps.betas):
            return extras
        if not self.own:
            self.losses += extras_losses(extras, path)
            return NO_EXTRAS
        for key, value in extras.items():
            if key not in STABLE_EXTRAS and not says_nothing(value):
                self.lose(_join(path, key), "this provider takes only the stable members", extra_severity(key))
        return {key: value for key, value in extras.items() if key in STABLE_EXTRAS}

    def cache(self, cache: CacheHint | None, path: str) -> CacheHint | None:
        """A cache breakpoint, where the upstream has them."""
        if cache is None or not self.caps.cache_hints:
            if cache is not None and _NO_HINTS not in self._told:
                self._told.add(_NO_HINTS)
                self.lose(_join(path, "cache_control"), _NO_HINTS, "info")
            return None
        if self.own and self.caps.betas:
            return cache
        return replace(cache, extras=self.extras(cache.extras, _join(path, "cache_control")))

    def parts(self, parts: Iterable[Part], path: str) -> list[Part]:
        """The parts of a message as the upstream takes them."""
        return [fitted for i, part in enumerate(parts) for fitted in self.part(part, f"{path}.content[{i}]")]

    def part(self, part: Part, path: str) -> list[Part]:
        """What stands for one part: itself, another, or nothing."""
        match part:
            case Text():
                return self._text(part, path)
            case Refusal():
                return [Text(part.text)] if part.text.strip() else []
            case Thinking():
                return self._thinking(part, path)
            case ToolCall():
                return [self._call(part, path)]
            case ToolResult():
                return self._result(part, path)
            case ToolReference():
                return [self._reference(part, path)]
            case Image():
                return [self._image(part, path)]
            case Document():
                return [self._document(part, path)]
            case Audio():
                self.lose(path, "this dialect cannot carry sound", "error")
                return [Text(f"[audio omitted: {part.format}]")]
            case ServerToolCall() | ServerToolResult():
                return self._server_tool(part, path)
            case Opaque():
                return self._opaque(part, path)

    def _server_tool(self, part: ServerToolCall | ServerToolResult, path: str) -> list[Part]:
        """What a provider's own tool did is for that provider; what it found is also in the text that follows."""
        call_id = part.id if isinstance(part, ServerToolCall) else part.call_id
        if call_id.startswith(FOREIGN_ID) or (isinstance(part, ServerToolResult) and MARK in bytes(part.raw)):
            self.lose(path, "a tool that ran at another provider", "info")
        elif self.own and self.caps.hosted_tools:
            return [part]
        else:
            self.lose(path, "this provider does not run such tools itself", "warning" if self.own else "info")
        return []

    def _text(self, part: Text, path: str) -> list[Part]:
        if self.own:
            citations = part.citations
            if citations and any(MARK in bytes(each.raw) for each in citations):
                self.lose(f"{path}.citations", "what a tool at another provider found", "info")
                citations = tuple(each for each in citations if MARK not in bytes(each.raw))
            cache, extras = self.cache(part.cache, path), self.extras(part.extras, path)
            if cache is part.cache and citations is part.citations and extras is part.extras:
                return [part]
            return [replace(part, cache=cache, citations=citations, extras=extras)]
        if part.citations:
            self.lose(f"{path}.citations", f"only {self.origin} understands them", "info")
        if not part.text.strip():
            return []  # the API refuses empty text
        if part.cache is None and not part.extras and not part.citations:
            return [part]
        return [Text(part.text, self.cache(part.cache, path), (), self.extras(part.extras, path))]

    def _thinking(self, part: Thinking, path: str) -> list[Part]:
        """Signed thinking goes only to who signed it; nobody else could read it, and most refuse it."""
        signed, caps = part.signed, self.caps
        extras = self.extras(part.extras, path) if self.own else NO_EXTRAS
        if signed is not None and signed.kind in {SIGNATURE, REDACTED} and signed.origin == caps.origin:
            return [replace(part, extras=extras)]
        if caps.thinking_replay == "any" and (part.text or (signed is None and self.own)):
            kept = signed if signed is not None and signed.kind == SIGNATURE else None
            if self.own and signed is not None and kept is None:
                extras = {**extras, "signature": Raw(b'""')}  # the member is required; an empty one claims nothing
            return [replace(part, signed=kept, extras=extras)]
        self.thinking_lost = True
        self.losses.append(thinking_loss(part, path))
        return []

    def _call(self, part: ToolCall, path: str) -> ToolCall:
        if not tool_input(part)[1]:
            self.lose(f"{path}.input", "the arguments are not a JSON object; they go as raw_arguments", "warning")
        call_id, name = safe_id(part.id), self.name(part.name)
        cache, extras = self.cache(part.cache, path), self.extras(part.extras, path)
        if call_id == part.id and name == part.name and cache is part.cache and extras is part.extras:
            return part
        return replace(part, id=call_id, name=name, cache=cache, extras=extras)

    def _result(self, part: ToolResult, path: str) -> list[Part]:
        content: list[Text | Image | Document | Audio | ToolReference | Opaque] = []
        lifted: list[Part] = []
        for inner in self.parts(part.content, path):
            if isinstance(inner, Image | Document) and not self.caps.tool_result_images:
                label = f"[{type(inner).__name__.lower()} {len(lifted) // 2 + 1} of tool result {part.call_id}]"
                content.append(Text(f"{label} follows"))
                lifted += [Text(label), inner]
            elif isinstance(inner, Text | Image | Document | ToolReference | Opaque):
                content.append(inner)
        if part.is_error and not content:
            content.append(Text("(no output)"))  # an error must say something
        call_id, plain = safe_id(part.call_id), part.plain and len(content) == 1
        cache, extras = self.cache(part.cache, path), self.extras(part.extras, path)
        same = call_id == part.call_id and plain == part.plain and cache is part.cache and extras is part.extras
        if same and len(content) == len(part.content) and all(map(is_, content, part.content)):
            return [part]
        result = replace(part, call_id=call_id, content=tuple(content), plain=plain, cache=cache, extras=extras)
        return [result, *lifted]

    def _reference(self, part: ToolReference, path: str) -> Part:
        if self.own and self.caps.betas:
            return part
        return Text(f"Tool {self.name(part.name)} is now available.")

    def _image(self, part: Image, path: str) -> Part:
        source, refused = self._source(part.source, path, allowed=self.caps.images)
        if refused:
            return Text(f"[image omitted: {refused}]")
        if part.detail is not None:
            self.lose(f"{path}.detail", "this dialect has no resolution hint", "info")
        cache, extras = self.cache(part.cache, path), self.extras(part.extras, path)
        return Image(source, cache=cache, extras=extras)

    def _document(self, part: Document, path: str) -> Part:
        source, refused = self._source(part.source, path, allowed=self.caps.documents)
        if not refused and not self.own and isinstance(source, Base64) and source.media_type != PDF:
            source, refused = self._other_document(source, path)
        if refused:
            return Text(f"[document omitted: {part.title or refused}]")
        return replace(part, source=source, cache=self.cache(part.cache, path), extras=self.extras(part.extras, path))

    def _other_document(self, source: Base64, path: str) -> tuple[Source, str]:
        """Bytes that are no PDF: the API takes text as such, and nothing else."""
        if source.media_type.startswith("text/"):
            try:
                return InlineText(base64.b64decode(source.data, validate=True).decode()), ""
            except ValueError:  # not base64, or not UTF-8
                pass
        self.lose(path, "this dialect's documents are PDF or text", "error")
        return source, source.media_type or "unknown type"

    def _source(self, source: Source, path: str, *, allowed: bool) -> tuple[Source, str]:
        """The source as this dialect writes it, and why it cannot go, if so."""
        if isinstance(source, Url) and source.url.startswith("data:"):
            source = _inline(source.url)
        kind = source.media_type if isinstance(source, Base64) and source.media_type else type(source).__name__.lower()
        if not allowed:
            self.lose(path, "this model does not take it", "error")
            return source, kind
        if isinstance(source, FileId) and not (self.own and self.caps.origin == NAME):
            self.lose(path, f"the file is stored at {self.origin}'s", "error")
            return source, f"file {source.id}"
        if isinstance(source, Url) and not (self.caps.image_urls and (self.own or source.url.startswith("https://"))):
            self.lose(path, "this provider does not fetch such URLs", "error")
            return source, source.url
        if isinstance(source, Base64) and not self.own:
            source = replace(source, media_type=_media_type(source))
        elif isinstance(source, InlineText) and not self.own:
            source = replace(source, media_type="text/plain")  # the only one that is taken
        return replace(source, extras=self.extras(source.extras, f"{path}.source")), ""

    def _opaque(self, part: Opaque, path: str) -> list[Part]:
        if part.origin == NAME and (self.caps.betas or part.kind in STABLE_BLOCKS):
            return [part]
        self.lose(path, f"{part.kind}: only {part.origin} understands it", "warning")
        return [Text(part.said)] if part.said else []


def _inline(url: str) -> Base64:
    """A data: URL as bytes of a media type."""
    head, _, data = url[len("data:") :].partition(",")
    return Base64(head.partition(";")[0] or "image/png", data)


def _media_type(source: Base64) -> str:
    """What the bytes say they are: the API refuses pictures under a wrong name, which other APIs let pass."""
    for start, media_type in _MAGIC:
        if source.data.startswith(start):
            return media_type
    return source.media_type.replace("image/jpg", "image/jpeg")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
