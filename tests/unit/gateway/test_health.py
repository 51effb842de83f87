"""How accounts and hosts are doing, on clocks that the test winds."""

from __future__ import annotations

import pytest

from strowger.config.references import parse_reference
from strowger.config.schema import ProviderConfig, Retries
from strowger.errors import BadRequest, CredentialError, ErrorKind, GatewayError, Refused, Unreachable
from strowger.gateway.health import Health
from strowger.providers.base import Provider, build_provider
from strowger.providers.quota import Reading, Window

POLICY = Retries(cooldown_seconds=60, breaker_failures=3, breaker_seconds=30)


class Clock:
    """A time that only passes when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Rig:
    """A health with both of its clocks, and a provider with two accounts."""

    def __init__(self, dialect: str = "anthropic", policy: Retries = POLICY) -> None:
        self.clock, self.wall = Clock(1000.0), Clock(1_790_000_000.0)
        self.health = Health(policy, clock=self.clock, wall=self.wall)
        self.provider = provider(dialect)
        self.work, self.home = self.provider.accounts

    def pass_(self, seconds: float) -> None:
        """Time goes by on both clocks."""
        self.clock.now += seconds
        self.wall.now += seconds

    def fail(self, error: GatewayError, wait: float | None = None, model: str = "m") -> None:
        """A call of the account `work` has failed."""
        self.health.failed(self.provider, self.work, model, error, wait)

    def rests(self, model: str = "m") -> float:
        """For how long `work` still rests; 0 when it does not."""
        rest = self.health.rest(self.provider, self.work, model)
        return 0.0 if rest is None else self.health.left_seconds(rest)


def provider(dialect: str = "anthropic", auth: str = "") -> Provider:
    """A provider with the accounts `work` and `home`, or with `auth`."""
    accounts = {} if auth else {name: parse_reference(f"env:{name.upper()}") for name in ("work", "home")}
    config = ProviderConfig(
        dialect=dialect,  # type: ignore[arg-type]
        base_url="http://127.0.0.1:1",
        accounts=accounts,
        auth=parse_reference(auth) if auth else None,
    )
    return build_provider("p", config, env={})


def limited(kind: ErrorKind = ErrorKind.RATE_LIMITED, status: int = 429, **headers: str) -> Refused:
    """A refusal for limits."""
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Refused("too much", status=status, kind=kind, headers=lines)


DOWN = Refused("down", status=502, kind=ErrorKind.UPSTREAM)
FULL = Refused("full", status=529, kind=ErrorKind.OVERLOADED)


# ---- quotas ----


def test_readings_are_kept_by_account() -> None:
    """The last reading of an account is kept under its provider's and its own name, with what earlier ones said."""
    rig = Rig()
    window = Window(name="5h", used_percent=40)
    rig.health.note(rig.provider, rig.work, Reading(at=1.0, windows=(window,)))
    rig.health.note(rig.provider, rig.work, Reading(at=2.0, plan="max"))
    rig.health.note(rig.provider, None, Reading(at=3.0))
    assert rig.health.readings["p", "work"] == Reading(at=2.0, windows=(window,), plan="max")
    assert rig.health.readings["p", "default"].at == 3.0
    assert rig.health.left_percent(rig.provider, rig.work) == 60
    assert rig.health.left_percent(rig.provider, rig.home) is None


def test_headers_are_not_read_at_each_answer() -> None:
    """Once in a second is enough; a clock that was set back does not stop it."""
    rig = Rig()
    assert rig.health.wants_reading(rig.provider, rig.work, 10.0)
    rig.health.note(rig.provider, rig.work, Reading(at=10.0))
    asked = [rig.health.wants_reading(rig.provider, rig.work, now) for now in (10.0, 10.9, 11.0, 5.0)]
    assert asked == [False, False, True, True]


# ---- rests ----


def test_a_limit_is_for_one_model_of_one_account() -> None:
    """One 429 must not bench the other models, nor the other account."""
    rig = Rig()
    rig.fail(limited(), 20)
    assert rig.rests() == 20
    assert rig.rests("other") == 0
    assert rig.health.rest(rig.provider, rig.home, "m") is None
    rig.pass_(20)
    assert rig.rests() == 0
    assert rig.health.calm


@pytest.mark.parametrize(
    "dialect, error, whole",
    [
        ("anthropic", limited(ErrorKind.QUOTA_EXHAUSTED), True),
        ("openai_responses", limited(ErrorKind.QUOTA_EXHAUSTED, 403), True),
        ("openai_responses", limited(ErrorKind.QUOTA_EXHAUSTED, x_codex_active_limit="premium"), True),
        ("openai_responses", limited(ErrorKind.QUOTA_EXHAUSTED, x_codex_active_limit="codex_spark"), False),
        ("gemini", limited(ErrorKind.QUOTA_EXHAUSTED), False),
        ("anthropic", limited(anthropic_ratelimit_unified_status="rejected"), True),
        (
            "anthropic",
            limited(
                anthropic_ratelimit_unified_status="rejected",
                anthropic_ratelimit_unified_representative_claim="seven_day",
            ),
            True,
        ),
        (
            "anthropic",
            limited(
                anthropic_ratelimit_unified_status="rejected",
                anthropic_ratelimit_unified_representative_claim="seven_day_opus",
            ),
            False,
        ),
        ("anthropic", limited(anthropic_ratelimit_unified_status="allowed"), False),
    ],
)
def test_an_exhausted_account_rests_for_all_models(dialect: str, error: Refused, whole: bool) -> None:
    """A balance and a plan's window are of the account; Google's quotas and the windows of one model are not."""
    rig = Rig(dialect)
    rig.fail(error, 3600)
    assert (rig.rests("m"), rig.rests("other")) == (3600, 3600 if whole else 0)


def test_only_the_providers_own_word_is_believed() -> None:
    """Without one the rest is our guess, which merely puts an account behind others, and does not replace its word."""
    rig = Rig()
    rig.fail(limited(), None)
    guessed = rig.health.rest(rig.provider, rig.work, "m")
    assert guessed is not None
    assert (guessed.told, rig.rests()) == (False, 60)
    rig.fail(limited(), 600)
    rig.fail(limited(), None)
    told = rig.health.rest(rig.provider, rig.work, "m")
    assert told is not None
    assert (told.told, rig.rests()) == (True, 600)


def test_rests_that_are_over_are_forgotten() -> None:
    """Also those of models that nobody asks for any more, at the next refusal."""
    rig = Rig()
    for number in range(5):
        rig.fail(limited(), 10, model=f"m{number}")
    rig.pass_(11)
    rig.fail(limited(), 1)
    rig.pass_(2)
    assert rig.rests() == 0
    assert rig.health.calm
    rig.fail(limited(), 1e-9)  # over before it is laid
    assert rig.rests() == 0


def test_no_wait_is_no_rest() -> None:
    """`retry-after: 0`."""
    rig = Rig()
    rig.fail(limited(), 0)
    assert rig.health.calm


def test_clocks_that_jump() -> None:
    """A rest ends on whichever clock gets there first, and no clock can make it longer than a week's window."""
    rig = Rig()
    rig.fail(limited(), 3600)
    rig.wall.now -= 100 * 86400  # set back by somebody
    rig.clock.now += 3600
    assert rig.rests() == 0
    rig.fail(limited(), 3600)
    rig.wall.now += 3600  # the machine slept, and the monotonic clock with it
    assert rig.rests() == 0
    rig.fail(limited(), 10 * 365 * 86400)  # said by a clock in another year
    assert rig.rests() == 8 * 86400


def test_from_time_to_time_one_call_may_look() -> None:
    """Limits are lifted early: one call in `cooldown_seconds` finds out, so nobody has to start the gateway again."""
    rig = Rig()
    rig.fail(limited(), 7200)
    rest = rig.health.rest(rig.provider, rig.work, "m")
    assert rest is not None
    assert not rig.health.may_look(rest)
    rig.pass_(60)
    assert [rig.health.may_look(rest) for _ in range(3)] == [True, False, False]
    rig.pass_(60)
    assert rig.health.may_look(rest)


def test_an_answer_ends_a_rest() -> None:
    """But only the answer to a call that began after the refusal: an earlier one says nothing of it."""
    rig = Rig()
    rig.fail(limited(), 600)
    rig.health.answered(rig.provider, rig.work, "m", begun=rig.clock.now - 1)
    assert rig.rests() == 600
    rig.health.answered(rig.provider, rig.work, "m", begun=rig.clock.now)
    assert rig.health.calm


def test_a_refused_credential_goes_behind_the_others() -> None:
    """A key that is wrong for all, a model that is not for this account; what was never sent tells nothing."""
    rig = Rig()
    error = CredentialError("refused")
    error.__cause__ = Refused("no", status=401, kind=ErrorKind.UNAUTHENTICATED)
    rig.fail(error)
    assert (rig.rests(), rig.rests("other")) == (60, 60)
    rig = Rig()
    rig.fail(Refused("no", status=403, kind=ErrorKind.FORBIDDEN))
    assert (rig.rests(), rig.rests("other")) == (60, 0)
    rig = Rig()
    rig.fail(CredentialError("the variable is not set"))
    assert rig.health.calm


def test_the_clients_own_account_is_not_ours_to_bench() -> None:
    """The next call may bring another one's credential."""
    rig = Rig()
    theirs = provider(auth="client")
    rig.health.failed(theirs, None, "m", limited(), 600)
    assert rig.health.calm


def test_what_is_known_is_bounded() -> None:
    """Model names and sessions are the clients' to choose."""
    rig = Rig()
    for number in range(6000):
        rig.fail(limited(), 600, model=f"m{number}")
        rig.fail(FULL, model=f"m{number}")
        rig.health.stick(rig.provider, f"s{number}" * 1000, rig.work, 300)
    assert len(list(rig.health.resting())) == 2000
    assert rig.rests("m5999") == 600
    assert rig.health.sticks_to(rig.provider, "s0" * 1000) is None
    assert rig.health.sticks_to(rig.provider, "s5999" * 1000) == "work"


def test_another_configuration_is_a_new_start() -> None:
    """The key may be another one, the plan a larger one; what is left of the quotas is still known."""
    rig = Rig()
    rig.health.note(rig.provider, rig.work, Reading(at=1.0, plan="pro"))
    rig.fail(limited(), 600)
    for _ in range(3):
        rig.fail(DOWN)
    policy = Retries(attempts=7)
    rig.health.adopt(policy)
    assert (rig.health.calm, rig.health.retries) == (True, policy)
    assert rig.health.readings["p", "work"].plan == "pro"


# ---- breakers ----


def test_a_breaker() -> None:
    """Failures in a row open it; after a while one call at a time may find out; an answer closes it."""
    rig = Rig()
    rig.fail(DOWN)
    rig.fail(Unreachable("no connection"))
    assert rig.health.standing(rig.provider, "m") == "closed"
    rig.fail(DOWN)
    assert rig.health.standing(rig.provider, "any") == "open"
    assert [(one.provider, one.failures, one.seconds) for one in rig.health.broken()] == [("p", 3, 30)]
    rig.pass_(30)
    assert rig.health.standing(rig.provider, "m") == "half_open"
    assert [rig.health.begin_probe(rig.provider, "m") for _ in range(3)] == [True, False, False]
    rig.health.end_probe(rig.provider, "m")
    assert rig.health.begin_probe(rig.provider, "m")
    rig.fail(DOWN)
    rig.health.end_probe(rig.provider, "m")
    assert rig.health.standing(rig.provider, "m") == "open"
    rig.health.answered(rig.provider, rig.work, "m", begun=rig.clock.now)
    assert rig.health.standing(rig.provider, "m") == "closed"
    assert rig.health.calm


def test_only_failures_in_a_row_count() -> None:
    """Any answer of the host between them, even a refusal, shows that it is there; a 4xx never opens a breaker."""
    rig = Rig()
    for error in (DOWN, DOWN, Refused("no", status=404, kind=ErrorKind.NOT_FOUND), DOWN, DOWN):
        rig.fail(error)
    assert rig.health.standing(rig.provider, "m") == "closed"
    for _ in range(20):
        rig.fail(Refused("no", status=400, kind=ErrorKind.BAD_REQUEST))
    assert rig.health.standing(rig.provider, "m") == "closed"


def test_what_was_never_sent_closes_no_breaker() -> None:
    """A credential that is missing, or a body that cannot be carried, says nothing of the host."""
    rig = Rig()
    for error in (DOWN, DOWN, CredentialError("not set"), BadRequest("no"), DOWN):
        rig.fail(error)
    assert rig.health.standing(rig.provider, "m") == "open"


def test_a_model_without_room_says_nothing_of_the_others() -> None:
    """Capacity is counted for the model alone."""
    rig = Rig()
    for _ in range(3):
        rig.fail(FULL)
    assert rig.health.standing(rig.provider, "m") == "open"
    assert rig.health.standing(rig.provider, "other") == "closed"


def test_breakers_can_be_switched_off() -> None:
    """`breaker_failures = 0`."""
    rig = Rig(policy=Retries(breaker_failures=0))
    for _ in range(50):
        rig.fail(DOWN)
    assert rig.health.standing(rig.provider, "m") == "closed"
    assert list(rig.health.broken()) == []


# ---- conversations ----


def test_a_conversation_stays_while_its_cache_is_warm() -> None:
    """And no longer: then nothing is lost by going elsewhere."""
    rig = Rig()
    rig.health.stick(rig.provider, "s", rig.home, 300)
    rig.pass_(299)
    assert rig.health.sticks_to(rig.provider, "s") == "home"
    rig.health.stick(rig.provider, "s", rig.home, 300)
    rig.pass_(299)
    assert rig.health.sticks_to(rig.provider, "s") == "home"
    rig.pass_(1)
    assert rig.health.sticks_to(rig.provider, "s") is None
    assert rig.health.sticks_to(rig.provider, "another") is None


def test_what_is_shown() -> None:
    """Who rests, for which model, why, and until which time of day."""
    rig = Rig()
    rig.fail(limited(), 600)
    rig.fail(limited(ErrorKind.QUOTA_EXHAUSTED), 3600)
    shown = [(one.account, one.model, one.kind, one.until - rig.wall.now, one.told) for one in rig.health.resting()]
    assert shown == [("work", "m", "rate_limited", 600, True), ("work", None, "quota_exhausted", 3600, True)]
    rig.pass_(1000)
    assert [one.kind for one in rig.health.resting()] == ["quota_exhausted"]
