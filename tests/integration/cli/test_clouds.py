"""Clouds at the command line: what is missing is asked for, what there is is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from strowger.cli.main import run
from tests.fakes.azure import KEY, FakeAzure
from tests.fakes.bedrock import PROFILE, TOKEN, FakeBedrock
from tests.fakes.gemini import FakeGemini
from tests.fakes.gemini_flavours import VERTEX
from tests.fakes.kimi import KEY as KIMI_KEY
from tests.fakes.kimi import FakeKimi
from tests.fakes.server import FakeServer
from tests.fakes.vertex import TOKEN as ACCESS
from tests.fakes.vertex import FakeVertex

VARIABLES = (
    "AWS_REGION AWS_DEFAULT_REGION GOOGLE_CLOUD_PROJECT GOOGLE_CLOUD_LOCATION CLOUD_ML_REGION"
    " ANTHROPIC_VERTEX_PROJECT_ID AZURE_OPENAI_RESOURCE AWS_BEARER_TOKEN_BEDROCK AZURE_OPENAI_API_KEY"
).split()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize(
    "table, missing, example",
    [
        ("bedrock", "region", "us-east-1"),
        ("azure", "resource", "my-resource"),
        ("vertex]\nregion = 'global' #", "project", "my-project"),
        ("vertex-anthropic]\nproject = 'p' #", "region", "global"),
    ],
)
def test_what_is_missing(
    table: str, missing: str, example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is named, with an example and its place in the file."""
    path = written(tmp_path, f"[providers.{table}]\n")
    assert run(["config", "check", "--config", path]) == 2
    err = capsys.readouterr().err
    assert f"{path}:1" in err
    assert f"needs `{missing}`" in err
    assert f'{missing} = "{example}"' in err


def test_variables_fill_the_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And `config show` says where each value is from."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "planted-token")
    path = written(tmp_path, "[providers.bedrock]\n")
    assert run(["config", "check", "--config", path]) == 0
    assert run(["config", "show", "--origin", "--config", path]) == 0
    out = capsys.readouterr().out
    assert 'region = "eu-west-1"' in out
    assert "AWS_REGION" in out
    assert "planted-token" not in out


@pytest.mark.parametrize(
    "preset, fake, path, auth, model",
    [
        ("bedrock", FakeBedrock, "", TOKEN, PROFILE),
        ("vertex-anthropic", FakeVertex, "/v1/projects/p/locations/r/publishers/anthropic", ACCESS, "claude-opus-4-8"),
        (
            "vertex",
            lambda: FakeGemini(VERTEX, keys=(ACCESS,)),
            "/v1/projects/p/locations/r/publishers/google",
            ACCESS,
            "gemini-3.5-flash",
        ),
        ("azure", FakeAzure, "/openai/v1", KEY, "gpt-4o"),
        ("kimi", FakeKimi, "/coding/v1", KIMI_KEY, "kimi-for-coding"),
        ("kimi-anthropic", FakeKimi, "/coding", KIMI_KEY, "kimi-for-coding"),
    ],
)
def test_models(
    preset: str,
    fake: type[FakeServer],
    path: str,
    auth: str,
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`strowger models` lists what a cloud has."""
    with fake().in_thread() as server:
        text = f'[providers.{preset}]\nbase_url = "{server.base_url}{path}"\nauth = "{auth}"\n'
        assert run(["models", "--config", written(tmp_path, text)]) == 0
    assert model in capsys.readouterr().out
