"""Laws of the order in which targets and accounts are asked, whatever has happened before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strowger.config.references import parse_reference
from strowger.config.schema import ProviderConfig, Retries
from strowger.errors import CredentialError, ErrorKind, GatewayError, Refused, TimedOut, Unanswered
from strowger.gateway.health import Health
from strowger.gateway.ranking import rank
from strowger.providers.base import Provider, build_provider
from strowger.routing.table import Target


def provider(name: str, spread: str, *accounts: str) -> Provider:
    """A provider with these accounts and two models that fill in."""
    config = ProviderConfig(
        dialect="anthropic",
        base_url="http://127.0.0.1:1",
        accounts={account: parse_reference(f"env:{account.upper()}") for account in accounts},
        spread=spread,  # type: ignore[arg-type]
        capacity_fallback=("small", "tiny"),
    )
    return build_provider(name, config, env={})


PROVIDERS = [
    provider("a", "fill_first", "x", "y", "z"),
    provider("b", "round_robin", "x", "y"),
    provider("c", "most_left", "x", "y"),
    provider("d", "fill_first"),
]
MODELS = ["m", "small", "tiny"]
FAILURES = st.one_of(
    st.builds(
        lambda status, kind: Refused("no", status=status, kind=kind),
        st.sampled_from([200, 400, 401, 403, 404, 429, 500, 503, 529]),
        st.sampled_from(list(ErrorKind)),
    ),
    st.sampled_from([TimedOut("silent"), Unanswered("closed"), CredentialError("not set")]),
)
EVENTS = st.tuples(
    st.integers(0, 3),  # provider
    st.integers(0, 2),  # account
    st.sampled_from(MODELS),
    st.one_of(st.none(), FAILURES),  # None: it answered
    st.one_of(st.none(), st.floats(0, 1e6)),  # the wait that was asked for
    st.floats(0, 200),  # then so much time passes
    st.floats(-1e5, 1e5),  # and the wall clock is moved
)


@given(st.lists(EVENTS, max_size=40), st.sampled_from([None, "s"]))
def test_everybody_has_a_place(
    events: list[tuple[int, int, str, GatewayError | None, float | None, float, float]], session: str | None
) -> None:
    """Each target with each account and each model stands in the order exactly once, asked or resting; who rests has
    been refused with a time; and a provider that was never refused is asked before all that were.
    """
    now, wall = [1000.0], [1.79e9]
    health = Health(Retries(breaker_failures=3), clock=lambda: now[0], wall=lambda: wall[0])
    refused: set[str] = set()
    for which, number, model, error, wait, seconds, moved in events:
        one = PROVIDERS[which]
        account = one.accounts[number % len(one.accounts)] if one.accounts else None
        if error is None:
            health.answered(one, account, model, now[0])
            if account is not None and session:
                health.stick(one, session, account, 300)
        else:
            health.failed(one, account, model, error, wait)
            refused.add(one.name)
        now[0] += seconds
        wall[0] += seconds + moved
    ranking = rank([Target(one, "m") for one in PROVIDERS], health, session)
    labels = [candidate.label for candidate in (*ranking.asked, *ranking.resting)]
    expected = sorted(
        f"{one.name}/{account.name}:{model}" if account else f"{one.name}:{model}"
        for one in PROVIDERS
        for account in one.accounts or (None,)
        for model in MODELS
    )
    assert sorted(labels) == expected
    for candidate in ranking.resting:
        assert candidate.rest is not None
        assert candidate.rest.told
        assert 0 < health.left_seconds(candidate.rest) <= 8 * 86400
    well = [candidate.target.provider.name not in refused for candidate in ranking.asked]
    behind = [not candidate.is_ready for candidate in ranking.asked]
    assert behind == sorted(behind)
    assert not any(one and late for one, late in zip(well, behind, strict=True))


@given(st.lists(st.tuples(FAILURES, st.floats(0, 1e9)), min_size=1, max_size=30), st.floats(-1e9, 1e9))
def test_nobody_is_locked_out_for_ever(failures: list[tuple[GatewayError, float]], moved: float) -> None:
    """Eight days later everybody is asked again, whatever was said and however a clock was set."""
    now, wall = [1000.0], [1.79e9]
    health = Health(clock=lambda: now[0], wall=lambda: wall[0])
    one = PROVIDERS[0]
    for error, wait in failures:
        health.failed(one, one.accounts[0], "m", error, wait)
    now[0] += 8 * 86400
    wall[0] += moved
    assert rank([Target(one, "m")], health, None).resting == ()
