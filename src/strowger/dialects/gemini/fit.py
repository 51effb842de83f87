"""Making single parts fit an upstream: a part as it can go, a note in its place, or nothing, with the loss of it."""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.gemini.job import Job
from strowger.dialects.gemini.wire import NAME
from strowger.ir.request import (
    Audio,
    Base64,
    Document,
    FileId,
    Image,
    InlineText,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Source,
    Text,
    ToolReference,
    Url,
)

_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
_DOCUMENTS = frozenset({"application/pdf", "application/rtf"})
_MAGIC = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
)
"""How base64 of some kinds begins."""
_BY_NAME = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "xml": "text/xml",
}
"""Media types by how an address ends."""


def fit(job: Job, part: Part, path: str) -> Part | None:
    """The part as this target can take it. Calls, results and thinking are not for here."""
    match part:
        case Text():
            part = job.own(part, path)
            return part if part.text or job.ours else None
        case Refusal():
            return Text(part.text) if part.text else None
        case Image():
            return _image(job, part, path)
        case Document():
            return _document(job, part, path)
        case Audio():
            if not job.caps.audio:
                job.lose(path, "the model takes no sound", "error")
                return Text(f"[audio omitted: {part.format}]")
            return job.own(part, path)
        case ToolReference(name=name):
            return Text(f"Tool {job.tool_name(name)} is now available.")
        case ServerToolCall() | ServerToolResult() if not job.ours:
            job.lose_once(path, "what a vendor's own tool did is not carried to another")
            return None
        case Opaque(origin=origin, kind=kind, said=said) if origin != NAME:
            job.lose(path, f"{kind or 'this part'} means something to its own vendor only")
            return Text(said) if said else None
        case _:
            return part


def _image(job: Job, part: Image, path: str) -> Image | Text:
    if not job.caps.images:
        return _omitted(job, path, "image", part.source, "the model takes no pictures")
    if job.ours:
        return _fetched(job, part, path)
    if part.detail not in {None, "auto"}:
        job.lose_once(f"{path}.detail", "the provider has no such resolution hint", "info")
    part = job.own(part, path)
    match part.source:
        case Base64() as source:
            kind = _media_type(source)
            if kind not in _IMAGES:
                return _omitted(job, path, "image", source, f"the provider takes no {kind or 'unknown'} pictures")
            return Image(Base64(kind, source.data))
        case Url(url=url):
            return _fetched(job, replace(part, source=Url(url), detail=None), path)
        case source:
            return _omitted(job, path, "image", source, "the file is stored at another provider")


def _fetched(job: Job, part: Image, path: str) -> Image | Text:
    """A picture that the provider is to fetch: not every one does."""
    if not isinstance(part.source, Url):
        return part
    if not job.caps.image_urls:
        return _omitted(job, path, "image", part.source, "the provider fetches no pictures")
    return part if job.ours else replace(part, source=_typed(part.source, "image/jpeg"))


def _typed(source: Url, otherwise: str) -> Url:
    """An address with the media type that its name tells: Google wants one."""
    ending = source.url.partition("?")[0].rpartition(".")[2].lower()
    kind = _BY_NAME.get(ending, otherwise)
    if kind.startswith("image/") != otherwise.startswith("image/"):
        kind = otherwise
    return Url(source.url, {"mimeType": _json(kind)})


def _json(text: str) -> Raw:
    return Raw(msgspec.json.encode(text))


def _document(job: Job, part: Document, path: str) -> Document | Text:
    source = part.source
    if not job.caps.documents:
        return _omitted(job, path, "document", source, "the model takes no documents", part.title)
    if job.ours:
        return part
    part = job.own(part, path)
    match part.source:
        case InlineText(text=text):
            titled = f' title="{part.title}"' if part.title else ""
            return Text(f"<document{titled}>\n{text}\n</document>")
        case Base64() as source:
            kind = _media_type(source) or "application/pdf"
            if kind not in _DOCUMENTS and not kind.startswith("text/"):
                return _omitted(job, path, "document", source, f"the provider takes no {kind} files", part.title)
            return Document(Base64(kind, source.data))
        case Url(url=url) if job.caps.image_urls:
            return Document(_typed(Url(url), "application/pdf"))
        case source:
            return _omitted(job, path, "document", source, "the file cannot be fetched from there", part.title)


def _media_type(source: Base64) -> str:
    """What the bytes say they are: Google looks at them, and refuses them under a wrong name."""
    for start, kind in _MAGIC:
        if source.data.startswith(start):
            return kind
    return source.media_type.replace("image/jpg", "image/jpeg")


def _omitted(job: Job, path: str, what: str, source: Source, reason: str, title: str | None = None) -> Text:
    job.lose(path, reason, "error")
    match source:
        case _ if title:
            said = title
        case Base64(media_type=kind):
            said = kind or "unknown type"
        case Url(url=url):
            said = url
        case FileId(id=identity):
            said = f"file {identity}"
        case _:
            said = "text"
    return Text(f"[{what} omitted: {said}]")
