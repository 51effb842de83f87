"""What Gemini refuses in `contents`: roles, the order of calls and responses, thought signatures, media. No socket.

Works on messages that gemini_proto has read, so every name is camelCase and every enum is in capitals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.fakes.gemini_errors import Denied
from tests.fakes.gemini_flavours import Flavour, Model
from tests.fakes.gemini_proto import DATA, decoded
from tests.fakes.refusal import Json, words

# The vendor's documented values for history that another model has made; the second is the first as bytes.
SKIP = frozenset(
    {
        "skip_thought_signature_validator",
        "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
        "context_engineering_is_the_way_to_go",
    }
)
# Whether a signature was made by the model family for such a part ("" for a part that is no call, else its name).
Verify = Callable[[str, str, str], bool]

IMAGES = words("image/png image/jpeg image/webp image/heic image/heif")
MEDIA = IMAGES | words(
    "application/pdf application/rtf application/x-javascript"
    " audio/wav audio/x-wav audio/mp3 audio/mpeg audio/aiff audio/aac audio/ogg audio/flac audio/m4a audio/mp4"
    " audio/opus audio/pcm audio/webm"
    " video/mp4 video/mpeg video/mov video/quicktime video/avi video/x-flv video/mpg video/webm video/wmv video/3gpp"
    " text/plain text/html text/css text/csv text/markdown text/javascript text/xml text/rtf text/calendar"
)
RESPONSE_MEDIA = words("image/png image/jpeg image/webp application/pdf text/plain")
_FILES = (
    "https://generativelanguage.googleapis.com/v1beta/files/",
    "https://www.youtube.com/watch",
    "https://youtu.be/",
)
# The vendor looks at the bytes, not at what they are said to be; "ftyp" is the start of HEIC.
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")
_LEARN = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"


def invalid(flavour: Flavour, path: str, text: str) -> Denied:
    """One member's refusal as the flavour's validator words it; `path` is in snake_case, from the request down."""
    if flavour.door == "studio":
        return Denied(f"* GenerateContentRequest.{path}: {text}\n")
    return Denied(f"The GenerateContentRequest proto is invalid:\n  * {path}: [FIELD_INVALID] {text}")


def check_contents(contents: list[Json], model: Model, flavour: Flavour, verify: Verify) -> None:
    """Refuse contents that the model would not take."""
    if not contents:
        if flavour.door != "studio":
            raise Denied("Unable to submit request because at least one contents field is required. " + _LEARN)
        raise invalid(flavour, "contents", "contents is not specified")
    for index, content in enumerate(contents):
        _check_role(content, single=len(contents) == 1)
        check_parts(content, f"contents[{index}]", flavour)
        for position, part in enumerate(content["parts"]):
            _check_part(part, f"contents[{index}].parts[{position}]", model, flavour)
    _check_order(contents)
    _check_signatures(contents, model, flavour, verify)


def check_parts(content: Json, path: str, flavour: Flavour) -> None:
    """Refuse a content without parts, or a part without data."""
    if not content.get("parts"):
        raise invalid(flavour, f"{path}.parts", "contents.parts must not be empty.")
    for position, part in enumerate(content["parts"]):
        if not any(name in part for name in DATA):
            text = "required oneof field 'data' must have one initialized field"
            raise invalid(flavour, f"{path}.parts[{position}].data", text)


def _check_role(content: Json, *, single: bool) -> None:
    role = content.get("role", "user" if single else "")
    if role == "system":
        raise Denied("Content with system role is not supported.")
    if role not in ("user", "model"):
        raise Denied("Please use a valid role: user, model.")


def _check_part(part: Json, path: str, model: Model, flavour: Flavour) -> None:
    call, response = part.get("functionCall"), part.get("functionResponse")
    if call is not None and not call.get("name"):
        raise invalid(flavour, f"{path}.function_call.name", "Name cannot be empty.")
    if response is not None:
        _check_response(response, f"{path}.function_response", model, flavour)
    _check_media(part, path, MEDIA, flavour)


def _check_response(response: Json, path: str, model: Model, flavour: Flavour) -> None:
    if not response.get("name"):
        raise invalid(flavour, f"{path}.name", "Name cannot be empty.")
    for index, part in enumerate(response.get("parts") or ()):
        if not model.signs:
            # Gemini 3 was the first to take media in a function's response.
            raise Denied("Multimodal function response is not supported for this model.")
        _check_media(part, f"{path}.parts[{index}]", RESPONSE_MEDIA, flavour)


def _check_media(part: Json, path: str, allowed: frozenset[str], flavour: Flavour) -> None:
    blob, file = part.get("inlineData"), part.get("fileData")
    kind = (blob or file or {}).get("mimeType", "")
    if blob is not None and not kind:
        raise invalid(flavour, f"{path}.inline_data.mime_type", "mimeType must not be empty.")
    if kind and kind.split(";")[0].lower() not in allowed:
        if allowed is RESPONSE_MEDIA:
            raise Denied(
                f"Unable to submit request because the mime_type: {kind} is not supported in `function_response.parts`."
            )
        if flavour.door != "studio":
            text = f"Unable to submit request because it has a mimeType parameter with value {kind}, which is not"
            raise Denied(f"{text} supported. Update the mimeType and try again. {_LEARN}")
        raise Denied(f"Unsupported MIME type: {kind}")
    if blob is not None:
        data = decoded(blob.get("data", ""))
        if not data:
            raise invalid(flavour, f"{path}.inline_data.data", "data must not be empty.")
        if kind in IMAGES and not data.startswith(_MAGIC) and data[4:8] != b"ftyp":
            raise Denied(
                "Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
            )
    if file is not None:
        _check_file(file.get("fileUri", ""), kind, path, flavour)


def _check_file(address: str, kind: str, path: str, flavour: Flavour) -> None:
    if address.startswith(_FILES):
        return
    if flavour.fetches and address.startswith(("gs://", "https://")):
        if not kind:
            raise invalid(flavour, f"{path}.file_data.mime_type", "mimeType must not be empty.")
        return
    raise Denied(f"Unsupported file uri: {address}")


def _check_order(contents: list[Json]) -> None:
    """Calls come after the user or a response; their responses come next, as many, in one content or several."""
    before, waiting = "user", list[Json]()
    answered: list[Json] = []
    for content in contents:
        calls, responses = _inner(content, "functionCall"), _inner(content, "functionResponse")
        user = content.get("role", "user") == "user"
        if (calls and (user or before not in ("user", "response"))) or (calls and content is contents[0]):
            after = "after a user turn or after a function response turn."
            raise Denied(f"Please ensure that function call turn comes immediately {after}")
        if responses and (not user or not waiting):
            after = "after a function call turn."
            raise Denied(f"Please ensure that function response turn comes immediately {after}")
        if waiting and responses:
            # A run of contents of one role is one turn.
            answered += responses
        elif waiting:
            _check_answers(waiting, answered)
            waiting = []
        if calls:
            waiting, answered = calls, []
        before = "call" if calls else "response" if responses else "user" if user else "model"
    if waiting:
        _check_answers(waiting, answered)


def _check_answers(calls: list[Json], responses: list[Json]) -> None:
    if len(calls) != len(responses):
        raise Denied(
            "Please ensure that the number of function response parts is equal to the number of function call parts of"
            " the function call turn."
        )
    ids = {call["id"] for call in calls if call.get("id")}
    for response in responses:
        # The vendor documents that both must match; its words for it are not known.
        if response.get("id") and ids and response["id"] not in ids:
            raise Denied(f"Function response id `{response['id']}` matches no function call of the function call turn.")
    if sorted(call["name"] for call in calls) != sorted(response["name"] for response in responses):
        raise Denied(
            "Please ensure that function response names match the function call names of the function call turn."
        )


def _inner(content: Json, name: str) -> list[Json]:
    return [part[name] for part in content["parts"] if name in part]


def _check_signatures(contents: list[Json], model: Model, flavour: Flavour, verify: Verify) -> None:
    for content in contents:
        for part in content["parts"]:
            signature = part.get("thoughtSignature")
            name = part["functionCall"]["name"] if "functionCall" in part else ""
            if signature and signature not in SKIP and model.thinks and not verify(model.family, name, signature):
                if flavour.door == "studio":
                    raise Denied("Corrupted thought signature.")
                raise Denied(f"Unable to submit request because Thought signature is not valid.. {_LEARN}")
    if not model.signs:
        return
    for index, call, signed in first_calls(contents):
        if signed:
            continue
        if flavour.door == "studio":
            raise Denied(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to"
                " work correctly, and missing thought_signature may lead to degraded model performance. Additional"
                f" data, function call `default_api:{call}` , position {index + 1}. Please refer to"
                " https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
            )
        raise Denied(
            f"Unable to submit request because function call `{call}` in the {index + 1}. content block is missing a"
            " `thought_signature`. Learn more: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/thought-signatures"
        )


def first_calls(contents: list[Json]) -> Iterator[tuple[int, str, bool]]:
    """The first call of each step of the current turn: where, its name, and whether it is signed.

    The current turn begins at the last content of the user that is no function response.
    """
    starts = [
        index
        for index, content in enumerate(contents)
        if content.get("role", "user") == "user" and not _inner(content, "functionResponse")
    ]
    for index in range(starts[-1] if starts else 0, len(contents)):
        first = next((part for part in contents[index]["parts"] if "functionCall" in part), None)
        if first is not None:
            yield index, first["functionCall"]["name"], bool(first.get("thoughtSignature"))
