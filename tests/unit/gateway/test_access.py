"""The guard: hosts, origins, tokens."""

from __future__ import annotations

import pytest

from strowger.errors import Forbidden
from strowger.gateway.access import Access, sentinel

LOCAL = {"host": "127.0.0.1:4000"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4000", "localhost", "LOCALHOST:80", "[::1]:4000", "127.9.9.9", "app.localhost:1"]
)
def test_loopback_names_are_ours(host: str) -> None:
    """A client reaches the gateway by any name of this machine."""
    assert Access().check_source({"host": host}) == ()


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4000", "192.168.1.5", "[::ffff:1.2.3.4]"],
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    """DNS rebinding: the browser sends the attacker's name in Host."""
    with pytest.raises(Forbidden, match="host name"):
        Access().check_source({"host": host})


def test_a_configured_host_is_ours() -> None:
    """`server.allowed_hosts` adds names, without regard to case."""
    assert Access(allowed_hosts=("Box.Lan",)).check_source({"host": "box.lan:4000"}) == ()


def test_an_external_bind_takes_addresses_but_no_names() -> None:
    """An address cannot be rebound; a name can."""
    access = Access(bind="0.0.0.0")
    assert access.check_source({"host": "192.168.1.5:4000"}) == ()
    with pytest.raises(Forbidden):
        access.check_source({"host": "evil.example"})


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:4001", ""]
)
def test_web_pages_are_refused(origin: str) -> None:
    """CSRF: a page of any other origin may not post here, whatever its content type."""
    with pytest.raises(Forbidden, match="web pages"):
        Access().check_source({**LOCAL, "origin": origin})


def test_our_own_origin_passes() -> None:
    """The dashboard's own requests."""
    assert Access().check_source({**LOCAL, "origin": "http://127.0.0.1:4000"}) == ()


def test_an_allowed_origin_gets_cors_headers() -> None:
    """What is allowed must also work in a browser."""
    headers = dict(
        Access(allowed_origins=("https://app.example/",)).check_source({**LOCAL, "origin": "https://app.example"})
    )
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"


@pytest.mark.parametrize(
    "site, passes", [("cross-site", False), ("same-site", False), ("same-origin", True), ("none", True)]
)
def test_fetch_metadata_is_believed(site: str, passes: bool) -> None:
    """A page's image or form GET has no Origin, but browsers say where it comes from."""
    headers = {**LOCAL, "sec-fetch-site": site}
    if passes:
        assert Access().check_source(headers) == ()
    else:
        with pytest.raises(Forbidden):
            Access().check_source(headers)


@pytest.mark.parametrize(
    "mode, dest, passes", [("navigate", "document", True), ("navigate", "iframe", False), ("no-cors", "script", False)]
)
def test_a_link_may_lead_to_what_is_harmless(mode: str, dest: str, passes: bool) -> None:
    """The dashboard holds nothing: who follows a link is let through, who would build it in is not; and no origin."""
    headers = {**LOCAL, "sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    if passes:
        assert Access().check_source(headers, harmless=True) == ()
    for sent, harmless in ((headers, False), ({**headers, "origin": "https://evil.example"}, True)):
        with pytest.raises(Forbidden):
            Access().check_source(sent, harmless=harmless)
    if not passes:
        with pytest.raises(Forbidden):
            Access().check_source(headers, harmless=True)


def test_a_ticket_is_good_once() -> None:
    """It stands for the admin token, until it is used; what was never given out stands for nothing."""
    access = Access()
    ticket = access.ticket()
    assert access.redeem(ticket) == access.admin_token
    for worthless in (ticket, "", "x" * 32):
        with pytest.raises(Forbidden, match="used, or is too old"):
            access.redeem(worthless)


def test_a_ticket_gets_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two minutes nobody waits for a browser any more."""
    now = [1000.0]
    monkeypatch.setattr("strowger.gateway.access.time.monotonic", lambda: now[0])
    access = Access()
    ticket = access.ticket()
    now[0] += 121
    with pytest.raises(Forbidden, match="too old"):
        access.redeem(ticket)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer good-token"},
        {"authorization": "bearer good-token"},
        {"x-api-key": "good-token"},
        {"api-key": "good-token"},
        {"x-strowger-token": "good-token"},
    ],
)
def test_the_client_token_is_taken_in_every_style(headers: dict[str, str]) -> None:
    """Anthropic's and OpenAI's clients have different ways to send a key."""
    assert Access(client_token="good-token").admit(headers).name == "token"


def test_our_token_is_no_credential_of_the_client() -> None:
    """A token of ours must never look like something to pass on."""
    assert dict(Access(client_token="good-token").admit({"authorization": "Bearer good-token"}).own) == {}


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer bad"}, {"x-api-key": ""}, {"x-strowger-token": "bad"}]
)
def test_without_the_token_nobody_comes_in(headers: dict[str, str]) -> None:
    """403 and not 401: clients retry a 401 for minutes."""
    with pytest.raises(Forbidden, match="token"):
        Access(client_token="good-token").admit(headers)


def test_a_wrong_own_token_is_refused_even_where_none_is_needed() -> None:
    """Whoever sends our header means us; passing the call on as anonymous would hide the mistake."""
    with pytest.raises(Forbidden):
        Access().admit({"x-strowger-token": "stale"})


def test_the_clients_own_credential_is_kept_beside_our_token() -> None:
    """A client with its own login says our token in our header."""
    client = Access(client_token="t").admit({"x-strowger-token": "t", "authorization": "Bearer sk-ant-own"})
    assert dict(client.own) == {"authorization": "Bearer sk-ant-own"}


def test_a_launch_token_works_until_its_launch_ends() -> None:
    """A token lives as long as the client it was made for."""
    access = Access(token_required=True)
    launch = access.open_launch("claude", 1)
    assert access.admit({"authorization": f"Bearer {launch.token}"}).name == "launch:claude"
    assert access.close_launch(launch.id)
    with pytest.raises(Forbidden):
        access.admit({"authorization": f"Bearer {launch.token}"})
    assert not access.close_launch(launch.id)


def test_tokens_are_not_in_representations() -> None:
    """A log line or a traceback may hold a repr."""
    access = Access()
    launch = access.open_launch("claude", 1)
    client = access.admit({"authorization": "Bearer sk-ant-own"})
    assert launch.token not in repr(launch)
    assert "sk-ant-own" not in repr(client)


def test_the_admin_token_is_needed_for_the_admin_api() -> None:
    """A client token is not an admin token."""
    access = Access(client_token="t")
    access.admit_admin({"authorization": f"Bearer {access.admin_token}"})
    with pytest.raises(Forbidden):
        access.admit_admin({"authorization": "Bearer t"})
    with pytest.raises(Forbidden):
        access.admit_admin({})


def test_odd_bytes_in_a_token_are_just_wrong() -> None:
    """Header bytes that are not UTF-8 must not break the comparison."""
    with pytest.raises(Forbidden):
        Access(client_token="t").admit({"x-api-key": "\udcff"})


def test_a_refusal_does_not_name_the_key_header() -> None:
    """Claude Code turns any error that names it into "Not logged in", and its user never learns the reason."""
    with pytest.raises(Forbidden) as refused:
        Access(client_token="t").admit({"x-api-key": "other"})
    assert "x-api-key" not in refused.value.text


def test_a_whole_url_means_us_only_with_our_port() -> None:
    """Who takes us for a proxy on the way to a neighbour on this machine shall not be answered in its name."""
    access = Access()
    assert access.is_meant("localhost", 4000, 4000)
    assert not access.is_meant("localhost", 11434, 4000)
    assert not access.is_meant("evil.example", 4000, 4000)


def test_behind_a_mapped_port_a_whole_url_may_name_another() -> None:
    """In a container the port outside is not the one that we listen on."""
    assert Access(bind="0.0.0.0").is_meant("192.168.1.5", 8080, 4000)


def test_a_sentinel_key_names_a_provider() -> None:
    """`sk-strowger-<provider>` is read in every place where clients put a key, and is nobody's credential."""
    for headers in (
        {"authorization": "Bearer sk-strowger-codex"},
        {"x-api-key": "sk-strowger-codex"},
        {"x-goog-api-key": "sk-strowger-codex"},
        {"x-strowger-token": "t", "authorization": "bearer sk-strowger-codex"},
    ):
        assert sentinel(headers) == "codex"
        assert Access(client_token="t").admit({"x-strowger-token": "t", **headers}).own == {}
    assert sentinel({"authorization": "Bearer sk-ant-1"}) is None


def test_a_sentinel_key_lets_nobody_in() -> None:
    """Where a token is needed, a key that only names a provider is none."""
    with pytest.raises(Forbidden, match="a client token is needed"):
        Access(client_token="t").admit({"authorization": "Bearer sk-strowger-codex"})
