"""The addresses of clouds, and where what is missing in them is looked for."""

from __future__ import annotations

import pytest

from strowger.config import load
from strowger.config.layers import InvalidConfig
from strowger.config.schema import ProviderConfig
from strowger.providers.clouds import CLOUDS
from strowger.providers.presets import PRESETS

HOME = {"HOME": "/nowhere"}


def loaded(name: str, env: dict[str, str], **table: str) -> ProviderConfig:
    config = load(None, env=HOME | env, presets=PRESETS, flags={f"providers.{name}": table}).config
    return config.providers[name]


@pytest.mark.parametrize(
    "name, env, url",
    [
        ("bedrock", {"AWS_REGION": "eu-west-1"}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ("bedrock", {"AWS_DEFAULT_REGION": "us-west-2"}, "https://bedrock-runtime.us-west-2.amazonaws.com"),
        ("azure", {"AZURE_OPENAI_RESOURCE": "mine"}, "https://mine.openai.azure.com/openai/v1"),
        (
            "vertex",
            {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "global"},
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google",
        ),
        (
            "vertex-anthropic",
            {"ANTHROPIC_VERTEX_PROJECT_ID": "p", "GOOGLE_CLOUD_PROJECT": "q", "CLOUD_ML_REGION": "us-east5"},
            "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic",
        ),
        (
            "vertex-anthropic",
            {"GOOGLE_CLOUD_PROJECT": "q", "CLOUD_ML_REGION": "eu"},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/q/locations/eu/publishers/anthropic",
        ),
    ],
)
def test_what_the_vendors_tools_read(name: str, env: dict[str, str], url: str) -> None:
    """Fills the gaps, so that one line is enough here too; hosts of some regions are named otherwise."""
    assert loaded(name, env).base_url == url


def test_the_configuration_comes_first() -> None:
    """A variable is for what it does not say."""
    config = loaded("bedrock", {"AWS_REGION": "eu-west-1"}, region="us-east-1")
    assert (config.region, config.base_url) == ("us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com")


@pytest.mark.parametrize("name", sorted(CLOUDS))
def test_what_is_missing_is_asked_for(name: str) -> None:
    """By its name, with an example, for one gap after another."""
    given: dict[str, str] = {}
    for _ in range(len(CLOUDS[name].variables)):
        with pytest.raises(InvalidConfig) as caught:
            loaded(name, {}, **given)
        problem = caught.value.problems[0]
        missing = next(gap for gap in CLOUDS[name].variables if f"`{gap}`" in problem.message)
        assert (problem.hint or "").startswith(f"such as {missing} = ")
        given[missing] = "some-where"
    assert "{" not in (loaded(name, {}, **given).base_url or "{")


@pytest.mark.parametrize(
    "name, env, text",
    [
        ("bedrock", {}, "aws"),
        ("bedrock", {"AWS_BEARER_TOKEN_BEDROCK": "t"}, "env:AWS_BEARER_TOKEN_BEDROCK"),
        ("azure", {}, "env:AZURE_OPENAI_API_KEY"),
        ("vertex", {}, "command:gcloud auth print-access-token"),
    ],
)
def test_who_pays(name: str, env: dict[str, str], text: str) -> None:
    """A bearer token goes before a signature; Google's tokens are printed by Google's tool."""
    auth = loaded(name, env, region="r", project="p", resource="s").auth
    assert auth is not None
    assert auth.text == text


def test_signatures_are_for_bedrock() -> None:
    """For any other host it is a mistake."""
    with pytest.raises(InvalidConfig, match="signs requests to Bedrock"):
        load(None, env=HOME, presets=PRESETS, flags={"providers.openai": {"auth": "aws"}})
