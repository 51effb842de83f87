"""Layers, origins, profiles and presets: what wins, and where it is said to come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from strowger.config import InvalidConfig, Loaded, load
from strowger.config.schema import Preset

PRESETS = {
    "alpha": Preset(
        dialect="openai_chat", base_url="https://api.alpha.test/v1", key_env=("ALPHA_API_KEY",), models=("alpha-*",)
    ),
    "beta": Preset(dialect="anthropic", base_url="https://beta.test", key_env=("BETA_API_KEY",)),
    "here": Preset(dialect="openai_chat", base_url="http://localhost:1/v1", key_env=("HERE_KEY",), key_required=False),
}


def read(
    tmp_path: Path,
    text: str,
    *,
    env: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
    profile: str | None = None,
) -> Loaded:
    path = tmp_path / "c.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path, env=env or {}, presets=PRESETS, flags=flags or {}, profile=profile)


def refused(tmp_path: Path, text: str, **given: object) -> list[str]:
    """The problems as printed, with the folder left out."""
    with pytest.raises(InvalidConfig) as caught:
        read(tmp_path, text, **given)  # type: ignore[arg-type]
    return [problem.text.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def test_each_layer_beats_the_one_below(tmp_path: Path) -> None:
    """defaults < preset < file < profile < environment < flags, and each value tells its layer."""
    text = """\
[server]
port = 1
bind = "127.0.0.2"
grace_seconds = 1
max_body_mb = 1
[providers.alpha]
[profiles.p.server]
port = 2
grace_seconds = 2
max_body_mb = 2
"""
    env = {"STROWGER_SERVER__PORT": "3", "STROWGER_SERVER__GRACE_SECONDS": "3"}
    loaded = read(tmp_path, text, env=env, flags={"server.port": 4, "server.bind": None}, profile="p")
    server = loaded.config.server
    assert (server.port, server.grace_seconds, server.max_body_mb, server.bind, server.max_header_kb) == (
        4,
        3.0,
        2,
        "127.0.0.2",
        64,
    )
    file = tmp_path / "c.toml"
    assert {key: loaded.origin(("server", key)).text for key in ("port", "grace_seconds", "max_body_mb", "bind")} == {
        "port": "flag server.port",
        "grace_seconds": "environment STROWGER_SERVER__GRACE_SECONDS",
        "max_body_mb": f"{file}:10 (profile p)",
        "bind": f"{file}:3",
    }
    assert loaded.origin(("server", "max_header_kb")).text == "default"
    assert loaded.origin(("providers", "alpha", "base_url")).text == "preset alpha"
    assert (loaded.path, loaded.profile, loaded.profiles) == (file, "p", ("p",))


def test_tables_merge_and_lists_are_replaced(tmp_path: Path) -> None:
    """A profile changes one field of a provider and keeps the rest; a list of its own stands instead of the file's."""
    text = """\
[providers.x]
dialect = "openai_chat"
base_url = "http://localhost:1"
models = ["a", "b"]
auth = { file = "f", path = "p" }
[profiles.p.providers.x]
models = ["c"]
auth = { env = "K" }
"""
    provider = read(tmp_path, text, profile="p").config.providers["x"]
    assert (provider.models, provider.base_url) == (("c",), "http://localhost:1")
    assert provider.auth is not None
    assert provider.auth.text == "env:K"


def test_preset_by_name_and_by_key(tmp_path: Path) -> None:
    """A provider has the preset of its name unless it names another; what the file says beats the preset."""
    text = '[providers.alpha]\n[providers.mine]\npreset = "alpha"\nmodels = ["m"]\nauth = "env:OTHER"\n'
    loaded = read(tmp_path, text)
    alpha, mine = loaded.config.providers["alpha"], loaded.config.providers["mine"]
    assert (alpha.preset, alpha.dialect, alpha.base_url) == ("alpha", "openai_chat", "https://api.alpha.test/v1")
    assert alpha.auth is not None
    assert alpha.auth.text == "env:ALPHA_API_KEY"
    assert (mine.preset, mine.models) == ("alpha", ("m",))
    assert mine.auth is not None
    assert mine.auth.text == "env:OTHER"


def test_a_vendors_key_goes_to_the_vendor(tmp_path: Path) -> None:
    """With another base_url the preset's key variable is not used, and the user is told; keys of local servers are."""
    text = '[providers.alpha]\nbase_url = "https://company.test"\n[providers.here]\nbase_url = "http://127.0.0.1:2"\n'
    loaded = read(tmp_path, text, env={"ALPHA_API_KEY": "k", "HERE_KEY": "k"})
    assert loaded.config.providers["alpha"].auth is None
    assert loaded.config.providers["here"].auth is not None
    assert "only used for the preset's own host" in loaded.warnings[0].message
    assert loaded.warnings[0].where.endswith(":2")


def test_optional_keys_are_used_when_set(tmp_path: Path) -> None:
    """A local server gets a key only when its variable is set."""
    assert read(tmp_path, "[providers.here]").config.providers["here"].auth is None
    assert read(tmp_path, "[providers.here]", env={"HERE_KEY": "k"}).config.providers["here"].auth is not None


def test_without_a_file_keys_make_providers(tmp_path: Path) -> None:
    """With no file and no provider named anywhere, the keys in the environment are used, and the origin says so."""
    loaded = load(None, env={"HOME": str(tmp_path), "ALPHA_API_KEY": "k"}, presets=PRESETS)
    assert list(loaded.config.providers) == ["alpha"]
    assert loaded.origin(("providers", "alpha")).text == "environment ALPHA_API_KEY"
    assert loaded.path is None


def test_a_provider_in_the_file_ends_the_guessing(tmp_path: Path) -> None:
    """Who names providers gets those and no others."""
    assert list(read(tmp_path, "[providers.beta]", env={"ALPHA_API_KEY": "k"}).config.providers) == ["beta"]


def test_nothing_at_all(tmp_path: Path) -> None:
    """Without file and keys there are no providers, and that is no error: the gateway says what to do."""
    loaded = load(None, env={"HOME": str(tmp_path)}, presets=PRESETS)
    assert not loaded.config.providers
    assert not loaded.warnings


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """A file that was named, by flag or variable, and is not there is an error."""
    for path, env in ((tmp_path / "no.toml", {}), (None, {"STROWGER_CONFIG": str(tmp_path / "no.toml")})):
        with pytest.raises(InvalidConfig, match="no such configuration file"):
            load(path, env=env, presets=PRESETS)


def test_unreadable_files(tmp_path: Path) -> None:
    """A folder, or bytes that are no UTF-8, are errors of the configuration, not crashes."""
    (tmp_path / "b.toml").write_bytes(b"a = '\xff'")
    for path, message in ((tmp_path, "cannot be read"), (tmp_path / "b.toml", "not UTF-8")):
        with pytest.raises(InvalidConfig, match=message):
            load(path, env={}, presets=PRESETS)


def test_syntax_errors_have_a_place(tmp_path: Path) -> None:
    """A TOML error is told with file and line."""
    (text,) = refused(tmp_path, "[server]\nport = \n")
    assert text.startswith("c.toml:2: not valid TOML: Invalid value")


def test_problems_have_places_in_reading_order(tmp_path: Path) -> None:
    """Every problem is told with the line of its key, top to bottom; variables and flags by their names."""
    text = '[log]\nlevel = "inf"\n[server]\nheartbeat_seconds = 1\n[[routes]]\nto = "x"\nmatch = { modle = "m" }\n'
    found = refused(tmp_path, text, env={"STROWGER_SERVER__PORT": "x"}, flags={"flows.keep": -1})
    assert [line.split("\n")[0].partition(": ")[0] for line in found] == [
        "c.toml:2",
        "c.toml:4",
        "c.toml:7",
        "STROWGER_SERVER__PORT",
        "flag flows.keep",
    ]
    assert "hint: it belongs to [limits]" in found[1]
    assert "did you mean `model`?" in found[2]


def test_one_error_counts_the_others(tmp_path: Path) -> None:
    """As an exception, the first problem speaks and says how many more there are."""
    with pytest.raises(InvalidConfig) as caught:
        read(tmp_path, "a = 1\nb = 2\n")
    assert str(caught.value).endswith(
        "c.toml:1: `a` is unknown in the configuration (and 1 more; see `strowger config check`)"
    )


def test_profiles_are_checked_even_when_not_chosen(tmp_path: Path) -> None:
    """A mistake in any profile is told, with its own line."""
    assert refused(tmp_path, "[profiles.p.server]\nprot = 1\n") == [
        "c.toml:2: `prot` is unknown in [profiles.p.server]\nhint: did you mean `port`?"
    ]
    assert "[profiles.NAME]" in refused(tmp_path, "profiles = 1")[0]
    assert "written [profiles.p]" in refused(tmp_path, "[profiles]\np = 1")[0]


@pytest.mark.parametrize("profile", [None, "p"])
@pytest.mark.parametrize(
    "key, meant", [("vai", "via"), ("modles", "models"), ("always_contol", "always_control"), ("sevrer", "server")]
)
def test_a_key_of_a_profile_without_a_heading(tmp_path: Path, key: str, meant: str, profile: str | None) -> None:
    """What stands directly in a profile is known there, whether it is chosen or not, and told once."""
    assert refused(tmp_path, f"[profiles.p]\n{key} = {{}}\n", profile=profile) == [
        f"c.toml:2: `{key}` is unknown in [profiles.p]\nhint: did you mean `{meant}`?"
    ]


def test_profile_by_variable_and_near_miss(tmp_path: Path) -> None:
    """$STROWGER_PROFILE chooses as `--profile` does, and an unknown name has a near miss."""
    text = "[profiles.work.server]\nport = 9\n"
    assert read(tmp_path, text, env={"STROWGER_PROFILE": "work"}).config.server.port == 9
    assert "did you mean `work`?" in refused(tmp_path, text, profile="wrok")[0]
    assert "no [profiles.NAME]" in refused(tmp_path, "", profile="x")[0]


def test_a_mistake_in_the_chosen_profile_is_placed_there(tmp_path: Path) -> None:
    """What a profile overlays is placed at the profile's line, not at the file's table."""
    assert refused(tmp_path, "[server]\nport = 1\n[profiles.p.server]\nport = 'x'\n", profile="p")[0].startswith(
        "c.toml:4:"
    )


def test_checks_run_on_the_merged_whole(tmp_path: Path) -> None:
    """A route may lead to a provider that only the environment brings."""
    text = '[[routes]]\nmatch = { model = "*" }\nto = "alpha"\n'
    assert read(tmp_path, text, env={"ALPHA_API_KEY": "k"}).config.routes[0].to == "alpha"
    assert refused(tmp_path, text)[0] == (
        "c.toml:3: the route leads to `alpha`, which is no configured provider\n"
        "hint: add `[providers.alpha]`: there is a preset of that name"
    )


def test_names_are_checked_besides_types(tmp_path: Path) -> None:
    """One run tells of wrong types and of names that lead nowhere."""
    text = """\
[server]
prot = 1
[providers.alpha]
models = 3
[providers.beta]
base_url = "beta.test"
[aliases]
quick = "gamma:g-1"
[[routes]]
match = { model = "*" }
to = "nowhere"
"""
    assert [line.partition(", ")[0].partition("\n")[0] for line in refused(tmp_path, text)] == [
        "c.toml:2: `prot` is unknown in [server]",
        "c.toml:4: `providers.alpha.models` must be a list of strings",
        "c.toml:6: `base_url` must be an http or https URL",
        "c.toml:8: alias `quick` leads to `gamma`",
        "c.toml:11: the route leads to `nowhere`",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[server]\nbind = "0.0.0.0"\nallow_external_bind = true\nclient_tokn = "env:T"',
        '[providers.mine]\nbase_url = "https://mine.test"\ndialekt = "anthropic"',
        '[providers]\nmine = 3\n[aliases]\nquick = "mine:m"',
        '[provider.mine]\npreset = "alpha"\n[aliases]\nquick = "mine:m"',
        '[[routes]]\nmatch = 1\nto = "alpha"\n[[routes]]\nmatch = { model = "*" }\nto = "nowhere"',
        'profiles = { p = 1 }\n[aliases]\nquick = "mine:m"',
    ],
)
def test_what_follows_from_another_mistake_is_not_told(tmp_path: Path, text: str) -> None:
    """What could not be read is not called missing, and what has lost its place is not looked at."""
    assert len(refused(tmp_path, text)) == 1


def test_another_profile_does_not_hide_what_is_wrong(tmp_path: Path) -> None:
    """A mistake in a profile that is not chosen has nothing to do with the rest."""
    assert len(refused(tmp_path, '[profiles.p.server]\nport = "x"\n[aliases]\nquick = "mine:m"')) == 2


def test_literal_secrets_are_warned_about(tmp_path: Path) -> None:
    """A secret in the file earns a warning; plain headers do not, nor do secrets of the environment."""
    text = '[providers.alpha]\nauth = "planted"\nheaders = { X-Title = "me", X-Api-Token = "planted" }\n'
    loaded = read(tmp_path, text, env={"STROWGER_SERVER__CLIENT_TOKEN": "planted"})
    assert [warning.path for warning in loaded.warnings] == [
        ("providers", "alpha", "auth"),
        ("providers", "alpha", "headers", "X-Api-Token"),
    ]
    assert "planted" not in repr(loaded)


def test_a_readable_file_with_secrets_is_warned_about(tmp_path: Path) -> None:
    """When others may read a file that holds secrets, the hint is the command that ends it."""
    path = tmp_path / "c.toml"
    path.write_text('[providers.alpha]\nauth = "planted"\n')
    path.chmod(0o644)
    assert load(path, env={}, presets=PRESETS).warnings[-1].hint == f"chmod 600 {path}"
    path.write_text('[providers.alpha]\nauth = "env:K"\n')
    assert not load(path, env={}, presets=PRESETS).warnings


def test_the_callers_mappings_stay_as_they_are(tmp_path: Path) -> None:
    """Merging changes neither flags nor presets."""
    flags: dict[str, object] = {"server.allowed_hosts": ["a"]}
    read(tmp_path, "[providers.alpha]\nmodels = ['x']\n", flags=flags)
    assert flags == {"server.allowed_hosts": ["a"]}
    assert PRESETS["alpha"].models == ("alpha-*",)
