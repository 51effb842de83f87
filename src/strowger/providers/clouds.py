"""The packaged providers of clouds, whose addresses hold what only their user knows. Data only, as in `presets`."""

from __future__ import annotations

from collections.abc import Mapping

from strowger.config.schema import Preset
from strowger.providers.families import (
    BEDROCK_MODELS,
    CLAUDE_AT_CLOUDS,
    GEMINI,
    GEMINI_MODELS,
    OPENAI,
    OPENAI_CHAT_MODELS,
    OPENAI_RESPONSES,
    OPENAI_RESPONSES_MODELS,
    VERTEX_CLAUDE_MODELS,
)

# cloud.google.com/vertex-ai/docs/general/locations
_VERTEX = "https://{}/v1/projects/{{project}}/locations/{}/publishers/{}"
_VERTEX_HOSTS = {
    "global": "aiplatform.googleapis.com",
    "us": "aiplatform.us.rep.googleapis.com",
    "eu": "aiplatform.eu.rep.googleapis.com",
}
_VERTEX_VARIABLES = {"region": ("GOOGLE_CLOUD_LOCATION",), "project": ("GOOGLE_CLOUD_PROJECT",)}
_GCLOUD = "command:gcloud auth print-access-token"

CLOUDS: Mapping[str, Preset] = {
    # docs.aws.amazon.com/bedrock: Claude by InvokeModel; most models want the id of an inference profile
    "bedrock": Preset(
        dialect="anthropic",
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        key_env=("AWS_BEARER_TOKEN_BEDROCK",),
        variables={"region": ("AWS_REGION", "AWS_DEFAULT_REGION")},
        auth="aws",
        auth_header="authorization",
        models=("anthropic.claude-*", "*.anthropic.claude-*", "arn:aws*:bedrock:*"),
        capabilities=CLAUDE_AT_CLOUDS,
        model_capabilities=BEDROCK_MODELS,
        infer=False,
        terms="bedrock",
    ),
    # learn.microsoft.com/azure/ai-foundry/openai: models are called by the names of one's own deployments
    "azure": Preset(
        dialect="openai_chat",
        base_url="https://{resource}.openai.azure.com/openai/v1",
        variables={"resource": ("AZURE_OPENAI_RESOURCE",)},
        key_env=("AZURE_OPENAI_API_KEY",),
        auth_header="api-key",
        capabilities={**OPENAI, "origin": "azure", "service_tiers": (), "fast_tier": ""},
        model_capabilities=OPENAI_CHAT_MODELS,
        infer=False,
        also=("azure-responses",),
        foreign="azure-responses",
        terms="azure",
    ),
    "azure-responses": Preset(
        dialect="openai_responses",
        base_url="https://{resource}.openai.azure.com/openai/v1",
        variables={"resource": ("AZURE_OPENAI_RESOURCE",)},
        key_env=("AZURE_OPENAI_API_KEY",),
        auth_header="api-key",
        capabilities={
            **OPENAI_RESPONSES,
            "origin": "azure",
            "service_tiers": (),
            "fast_tier": "",
            "count_tokens": False,
        },
        model_capabilities=OPENAI_RESPONSES_MODELS,
        infer=False,
        terms="azure",
    ),
    # cloud.google.com/vertex-ai/generative-ai/docs: Gemini in a project of Google Cloud
    "vertex": Preset(
        dialect="gemini",
        base_url=_VERTEX.format("{region}-aiplatform.googleapis.com", "{region}", "google"),
        regions={name: _VERTEX.format(host, name, "google") for name, host in _VERTEX_HOSTS.items()},
        variables=_VERTEX_VARIABLES,
        auth=_GCLOUD,
        auth_header="authorization",
        models=("gemini-*",),
        capabilities={**GEMINI, "image_urls": True},
        model_capabilities=GEMINI_MODELS,
        infer=False,
        terms="vertex",
    ),
    # platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
    "vertex-anthropic": Preset(
        dialect="anthropic",
        base_url=_VERTEX.format("{region}-aiplatform.googleapis.com", "{region}", "anthropic"),
        regions={name: _VERTEX.format(host, name, "anthropic") for name, host in _VERTEX_HOSTS.items()},
        variables={
            "region": ("CLOUD_ML_REGION", "GOOGLE_CLOUD_LOCATION"),
            "project": ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"),
        },
        auth=_GCLOUD,
        auth_header="authorization",
        models=("claude-*@*",),
        capabilities={**CLAUDE_AT_CLOUDS, "count_tokens": True},
        model_capabilities=VERTEX_CLAUDE_MODELS,
        infer=False,
        terms="vertex-claude",
    ),
}
"""By name."""
