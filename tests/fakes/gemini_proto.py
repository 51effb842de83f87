"""Gemini's request messages as protobuf sees them, and Google's strict reading of JSON into them.

Knows names and types only: snake_case and camelCase are the same, enums may be numbers or in any case, one value may
stand for a list of one. Every unknown name at any depth is refused, all of them in one answer, in the vendor's words.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from typing import Any

import msgspec
from msgspec import Struct

from tests.fakes.gemini_errors import Denied, bad_request
from tests.fakes.refusal import Json, is_int, is_number

# name:type, text where no type is named; * repeated, % a map by name. Lower-case types are those of JSON or protobuf.
_MESSAGES = {
    "GenerateContentRequest": "model contents*Content systemInstruction:Content tools*Tool toolConfig:ToolConfig"
    " safetySettings*SafetySetting generationConfig:GenerationConfig cachedContent serviceTier store:bool",
    "CountTokensRequest": "model contents*Content generateContentRequest:GenerateContentRequest",
    "Content": "role parts*Part",
    "Part": "text thought:bool thoughtSignature:bytes inlineData:Blob fileData:FileData functionCall:FunctionCall"
    " functionResponse:FunctionResponse executableCode:ExecutableCode codeExecutionResult:CodeExecutionResult"
    " toolCall:ToolCall toolResponse:ToolResponse videoMetadata:VideoMetadata partMetadata:struct"
    " mediaResolution:PartMediaResolution",
    "Blob": "mimeType data:bytes",
    "FileData": "mimeType fileUri",
    "FunctionCall": "id name args:struct",
    "FunctionResponse": "id name response:struct parts*FunctionResponsePart willContinue:bool scheduling:Scheduling",
    "FunctionResponsePart": "inlineData:Blob fileData:FileData",
    "ExecutableCode": "id language:Language code",
    "CodeExecutionResult": "id outcome:Outcome output",
    "ToolCall": "id toolType args:struct",
    "ToolResponse": "id toolType response:struct",
    "VideoMetadata": "startOffset endOffset fps:double",
    "PartMediaResolution": "level numTokens:int32",
    "Tool": "functionDeclarations*FunctionDeclaration googleSearch:GoogleSearch urlContext:UrlContext"
    " codeExecution:CodeExecution googleSearchRetrieval:struct googleMaps:struct fileSearch:FileSearch"
    " computerUse:struct mcpServers*struct",
    "FunctionDeclaration": "name description parameters:Schema parametersJsonSchema:value response:Schema"
    " responseJsonSchema:value behavior:Behavior",
    "GoogleSearch": "timeRangeFilter:Interval searchTypes:struct",
    "Interval": "startTime endTime",
    "UrlContext": "",
    "CodeExecution": "",
    "FileSearch": "fileSearchStoreNames* topK:int32 metadataFilter",
    "ToolConfig": "functionCallingConfig:FunctionCallingConfig retrievalConfig:struct"
    " includeServerSideToolInvocations:bool",
    "FunctionCallingConfig": "mode:Mode allowedFunctionNames* streamFunctionCallArguments:bool",
    "SafetySetting": "category:HarmCategory threshold:HarmBlockThreshold",
    "GenerationConfig": "candidateCount:int32 stopSequences* maxOutputTokens:int32 temperature:float topP:float"
    " topK:float seed:int32 responseMimeType responseSchema:Schema responseJsonSchema:value presencePenalty:float"
    " frequencyPenalty:float responseLogprobs:bool logprobs:int32 responseModalities*Modality speechConfig:struct"
    " thinkingConfig:ThinkingConfig mediaResolution:MediaResolution imageConfig:struct enableEnhancedCivicAnswers:bool",
    "ThinkingConfig": "includeThoughts:bool thinkingBudget:int32 thinkingLevel:ThinkingLevel",
    "Schema": "type:Type format title description nullable:bool enum* maxItems:int64 minItems:int64 properties%Schema"
    " required* minProperties:int64 maxProperties:int64 minLength:int64 maxLength:int64 pattern example:value"
    " anyOf*Schema propertyOrdering* default:value items:Schema minimum:double maximum:double",
    # Code Assist: an envelope around a request of its own.
    "AssistRequest": "model project userPromptId request:VertexRequest enabledCreditTypes*",
    "VertexRequest": "contents*Content systemInstruction:Content cachedContent tools*Tool toolConfig:ToolConfig"
    " labels%string safetySettings*SafetySetting generationConfig:GenerationConfig sessionId",
    "AssistCountRequest": "request:AssistCounted",
    "AssistCounted": "model contents*Content",
    "LoadCodeAssistRequest": "cloudaicompanionProject metadata:ClientMetadata mode",
    "OnboardUserRequest": "tierId cloudaicompanionProject metadata:ClientMetadata",
    "RetrieveUserQuotaRequest": "project userAgent",
    "ListExperimentsRequest": "project metadata:ClientMetadata",
    "ClientMetadata": "ideType ideVersion pluginVersion platform updateChannel duetProject pluginType ideName",
}
# What only a project's door knows.
_VERTEX = {
    "GenerateContentRequest": "labels%string modelArmorConfig:ModelArmorConfig",
    "CountTokensRequest": "systemInstruction:Content tools*Tool generationConfig:GenerationConfig",
    "Blob": "displayName",
    "FileData": "displayName",
    "Tool": "retrieval:struct enterpriseWebSearch:struct",
    "GoogleSearch": "excludeDomains* blockingConfidence",
    "GenerationConfig": "audioTimestamp:bool routingConfig:struct modelSelectionConfig:struct",
    "SafetySetting": "method",
    "ModelArmorConfig": "promptTemplateName responseTemplateName",
}
_ENUMS = {
    "Type": "TYPE_UNSPECIFIED STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL",
    "Mode": "MODE_UNSPECIFIED AUTO ANY NONE VALIDATED",
    "ThinkingLevel": "THINKING_LEVEL_UNSPECIFIED LOW MEDIUM HIGH MINIMAL XHIGH",
    "Language": "LANGUAGE_UNSPECIFIED PYTHON",
    "Outcome": "OUTCOME_UNSPECIFIED OUTCOME_OK OUTCOME_FAILED OUTCOME_DEADLINE_EXCEEDED",
    "Behavior": "UNSPECIFIED BLOCKING NON_BLOCKING",
    "Scheduling": "SCHEDULING_UNSPECIFIED SILENT WHEN_IDLE INTERRUPT",
    "Modality": "MODALITY_UNSPECIFIED TEXT IMAGE AUDIO VIDEO",
    "MediaResolution": "MEDIA_RESOLUTION_UNSPECIFIED MEDIA_RESOLUTION_LOW MEDIA_RESOLUTION_MEDIUM"
    " MEDIA_RESOLUTION_HIGH",
    "HarmCategory": "HARM_CATEGORY_UNSPECIFIED HARM_CATEGORY_DEROGATORY HARM_CATEGORY_TOXICITY HARM_CATEGORY_VIOLENCE"
    " HARM_CATEGORY_SEXUAL HARM_CATEGORY_MEDICAL HARM_CATEGORY_DANGEROUS HARM_CATEGORY_HARASSMENT"
    " HARM_CATEGORY_HATE_SPEECH HARM_CATEGORY_SEXUALLY_EXPLICIT HARM_CATEGORY_DANGEROUS_CONTENT"
    " HARM_CATEGORY_CIVIC_INTEGRITY",
    "HarmBlockThreshold": "HARM_BLOCK_THRESHOLD_UNSPECIFIED BLOCK_LOW_AND_ABOVE BLOCK_MEDIUM_AND_ABOVE BLOCK_ONLY_HIGH"
    " BLOCK_NONE OFF",
}
ENUMS = {name: tuple(text.split()) for name, text in _ENUMS.items()}
# Exactly one of these is set in a part; two are refused here, none where contents are judged.
DATA = (
    "text inlineData fileData functionCall functionResponse executableCode codeExecutionResult toolCall toolResponse"
).split()
REAL = ("float", "double")
_FIELD = re.compile(r"(\w+)([:*%]?)(\w*)")


class Field(Struct, frozen=True):
    """A member: its JSON name, type, and whether it is a list or a map by name."""

    name: str
    kind: str
    shape: str


@functools.cache
def fields(message: str, vertex: bool) -> dict[str, Field]:
    """The members of a message by both of their spellings."""
    text = _MESSAGES.get(message, "") + " " + (_VERTEX.get(message, "") if vertex else "")
    out: dict[str, Field] = {}
    for name, mark, kind in _FIELD.findall(text):
        field = Field(name, kind or "string", mark if mark in ("*", "%") else "")
        out[name] = out[snake(name)] = field
    return out


def snake(name: str) -> str:
    """A camelCase name as protobuf spells it."""
    return re.sub(r"[A-Z]", lambda capital: "_" + capital[0].lower(), name)


def read(body: Any, message: str, package: str) -> Json:
    """A body as a message: names in camelCase, enums by their names, bytes as they came. Refuses what does not fit."""
    reader = _Reader(package)
    if not isinstance(body, dict):
        raise Denied('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    value = reader.message(body, message, "")
    if reader.wrong:
        message = "\n".join(text for _, text in reader.wrong)
        raise Denied(message, "INVALID_ARGUMENT", bad_request(reader.wrong))
    return value


class _Reader:
    """Reads values and collects what is wrong with them."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.vertex = "aiplatform" in package
        self.wrong: list[tuple[str, str]] = []

    def message(self, value: Json, message: str, path: str) -> Json:
        known = fields(message, self.vertex)
        out: Json = {}
        for name, given in value.items():
            field = known.get(name)
            if field is None:
                self._unknown(name, path, "Cannot find field.")
                continue
            if given is None:
                continue
            inner = f"{path}.{snake(name)}" if path else snake(name)
            if isinstance(given, list) and not field.shape and field.kind != "value":
                self._unknown(name, path, "Proto field is not repeating, cannot start list.")
                continue
            if message == "Part" and field.name in DATA:
                already = next((other for other in DATA if other in out), None)
                if already:
                    text = f"oneof field 'data' is already set. Cannot set '{field.name}'"
                    self._say(path, f"Invalid value at '{path}' (oneof), {text}")
            out[field.name] = self._field(given, field, inner)
        return out

    def _field(self, given: Any, field: Field, path: str) -> Any:
        if field.shape == "*":
            # A lone value is taken for a list of one.
            items = given if isinstance(given, list) else [given]
            return [self._value(item, field.kind, f"{path}[{index}]") for index, item in enumerate(items)]
        if field.shape == "%":
            if not isinstance(given, dict):
                return self._invalid(path, "Map", given)
            pairs = enumerate(given.items())
            return {key: self._value(item, field.kind, f"{path}[{index}].value") for index, (key, item) in pairs}
        return self._value(given, field.kind, path)

    def _value(self, given: Any, kind: str, path: str) -> Any:
        if kind in ENUMS:
            return self._enum(given, kind, path)
        if kind in _MESSAGES or kind in _VERTEX:
            if not isinstance(given, dict):
                return self._invalid(path, f"type.googleapis.com/{self.package}.{kind}", given)
            return self.message(given, kind, path)
        if kind == "value":
            return given
        if kind == "struct":
            return (
                given
                if isinstance(given, dict)
                else self._invalid(path, "type.googleapis.com/google.protobuf.Struct", given)
            )
        if isinstance(given, dict):
            return self._unknown(path.rsplit(".", 1)[-1], path.rpartition(".")[0], "Proto field is not a message.")
        if not _fits(given, kind):
            return self._unfit(path, kind, given)
        return (
            int(given) if kind.startswith("int") else float(given) if isinstance(given, str) and kind in REAL else given
        )

    def _enum(self, given: Any, kind: str, path: str) -> Any:
        names = ENUMS[kind]
        if is_int(given) and 0 <= given < len(names):
            return names[given]
        if isinstance(given, str) and given.upper().replace("-", "_") in names:
            return given.upper().replace("-", "_")
        return self._invalid(path, f"type.googleapis.com/{self.package}.{kind}", given)

    def _unfit(self, path: str, kind: str, given: Any) -> None:
        if kind == "bytes" and isinstance(given, str):
            text = f"Base64 decoding failed for {msgspec.json.encode(given[:100]).decode()}"
            return self._say(path, f"Invalid value at '{path}' (TYPE_BYTES), {text}")
        return self._invalid(path, f"TYPE_{kind.upper()}", given)

    def _invalid(self, path: str, kind: str, given: Any) -> None:
        self._say(path, f"Invalid value at '{path}' ({kind}), {msgspec.json.encode(given).decode()}")

    def _unknown(self, name: str, path: str, why: str) -> None:
        where = f" at '{path}'" if path else ""
        self._say(path, f'Invalid JSON payload received. Unknown name "{name}"{where}: {why}')

    def _say(self, path: str, text: str) -> None:
        self.wrong.append((path, text))


def _fits(given: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(given, str)
        case "bool":
            return isinstance(given, bool)
        case "bytes":
            return isinstance(given, str) and decoded(given) is not None
        case "int32" | "int64":
            return is_int(given) or (isinstance(given, float) and given.is_integer()) or _is_digits(given)
        case _:
            return is_number(given) or _is_digits(given)


def _is_digits(given: Any) -> bool:
    return isinstance(given, str) and re.fullmatch(r"-?\d+", given) is not None


def decoded(text: str) -> bytes | None:
    """Bytes from either alphabet of base64, padded or not; None for anything else."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
