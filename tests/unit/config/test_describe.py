"""What `config show` prints."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from strowger.config import load
from strowger.config.describe import as_json, as_toml
from strowger.config.layers import Loaded
from strowger.config.schema import Config

TEXT = """\
[server]
client_token = "planted-token"
allowed_hosts = ["a.test"]
[providers."my.own"]
dialect = "anthropic"
base_url = "http://localhost:1"
auth = "file:/x#a.b"
headers = { X-Title = "a \\"b\\"", X-Api-Key = "planted-key" }
capabilities = { images = false, efforts = ["low"] }
[[routes]]
match = { model = ["a*", "b"], class = "main" }
to = "my.own"
[aliases]
"my fast" = "my.own:m"
"""


def loaded(tmp_path: Path) -> Loaded:
    path = tmp_path / "c.toml"
    path.write_text(TEXT)
    return load(path, env={"STROWGER_FLOWS__KEEP": "5"}, presets={})


def test_toml_is_a_configuration_again(tmp_path: Path) -> None:
    """The output is TOML and says the same, with defaults, and with masks for literal secrets."""
    shown = tomllib.loads(as_toml(loaded(tmp_path)))
    assert shown["server"]["client_token"] == "***"
    assert shown["server"]["port"] == 4000
    provider = shown["providers"]["my.own"]
    assert provider["auth"] == "file:/x#a.b"
    assert provider["headers"] == {"X-Title": 'a "b"', "X-Api-Key": "***"}
    assert provider["capabilities"] == {"images": False, "efforts": ["low"]}
    assert shown["routes"] == [{"match": {"model": ["a*", "b"], "class": "main"}, "to": "my.own", "strict": False}]
    assert shown["aliases"] == {"my fast": "my.own:m"}
    assert shown["flows"]["keep"] == 5


def test_every_section_is_shown(tmp_path: Path) -> None:
    """What the schema has is in the output, and a budget that is not set is not."""
    path = tmp_path / "all.toml"
    path.write_text(TEXT + "[budgets]\nday = { stop = 5 }\n")
    shown = tomllib.loads(as_toml(load(path, env={}, presets={})))
    assert shown.keys() == set(Config.__struct_fields__)
    assert shown["budgets"] == {"day": {"stop": 5.0}, "count_plan": False}


def test_origins_are_comments(tmp_path: Path) -> None:
    """With origins, each line says where its value came from, and it is TOML still."""
    text = as_toml(loaded(tmp_path), origins=True)
    assert tomllib.loads(text) == tomllib.loads(as_toml(loaded(tmp_path)))
    assert f'allowed_hosts = ["a.test"]  # {tmp_path}/c.toml:3' in text
    assert "port = 4000  # default" in text
    assert "keep = 5  # environment STROWGER_FLOWS__KEEP" in text


def test_json(tmp_path: Path) -> None:
    """The same values as JSON; with origins as a list."""
    whole = json.loads(as_json(loaded(tmp_path)))
    assert whole["providers"]["my.own"]["headers"] == {"X-Title": 'a "b"', "X-Api-Key": "***"}
    listed = json.loads(as_json(loaded(tmp_path), origins=True))
    assert {"key": "flows.keep", "value": 5, "origin": "environment STROWGER_FLOWS__KEEP"} in listed
    assert {"key": "routes.0.to", "value": "my.own", "origin": f"{tmp_path}/c.toml:12"} in listed


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """A planted secret is in none of the outputs."""
    everything = [
        render(loaded(tmp_path), origins=origins) for render in (as_toml, as_json) for origins in (True, False)
    ]
    assert "planted" not in "".join(everything)
