"""The ways to log in, with an issuer that is a list of replies and a clock that moves when somebody waits."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from strowger.auth.issuers import CODEX, KIMI, Issuer
from strowger.auth.login import LoginFlow, Settle, skew_of
from strowger.auth.oauth import Ask, DeviceCode, IssuerRefused, Reply, Tokens
from strowger.errors import CredentialError, GatewayError, TimedOut, Unreachable

pytestmark = pytest.mark.anyio

NOON = 1_795_262_400.0
GRANTED = {"access_token": "at", "refresh_token": "rt", "expires_in": 900}
KIMI_CODE = {
    "user_code": "AB-12",
    "device_code": "dc",
    "verification_uri": "https://auth.kimi.com/device",
    "verification_uri_complete": "https://auth.kimi.com/device?user_code=AB-12",
    "expires_in": 60,
    "interval": 5,
}
CODEX_CODE = {"device_auth_id": "da", "user_code": "AB-12", "interval": "5"}


def reply(body: object, status: int = 200, *, date: float = NOON) -> Reply:
    """A reply with the issuer's date."""
    return Reply(status, {"date": formatdate(date, usegmt=True)}, msgspec.json.encode(body))


def error(code: str, status: int = 400, **headers: str) -> Reply:
    """A refusal in RFC 6749's shape."""
    return Reply(status, headers, msgspec.json.encode({"error": code}))


class Scene:
    """A login with all that it needs: replies in order, a user, a clock. It writes down what happened."""

    def __init__(self, issuer: Issuer, *replies: Reply | GatewayError, pastes: Callable[[str], str] = str) -> None:
        self.asked: list[Ask] = []
        self.told: list[tuple[object, ...]] = []
        self.slept: list[float] = []
        self.kept: list[Tokens] = []
        self.clock = NOON
        self.url = ""
        self._replies = list(replies)
        self._pastes = pastes
        self.flow = LoginFlow(
            issuer, exchange=self._exchange, teller=self, keep=self._keep, now=lambda: self.clock, sleep=self._sleep
        )

    async def _exchange(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        answer = self._replies.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock += seconds

    async def _keep(self, tokens: Tokens) -> None:
        self.kept.append(tokens)

    # -- the teller --

    def page(self, url: str) -> None:
        """The browser goes there."""
        self.url = url

    def code(self, device: DeviceCode) -> None:
        """The user types it."""
        self.told.append(("code", device.user_code, device.page))

    async def pasted(self) -> str:
        """The user pastes what the test makes of the page's address."""
        return self._pastes(self.url)

    def waiting(self, left: float) -> None:
        """Nothing so far."""
        self.told.append(("waiting", left))

    def slower(self, interval: float) -> None:
        """Asked too often."""
        self.told.append(("slower", interval))

    def trouble(self, problem: str) -> None:
        """It may come right."""
        self.told.append(("trouble", problem))

    def skewed(self, seconds: float) -> None:
        """A clock is wrong."""
        self.told.append(("skewed", seconds))

    # -- what was sent --

    def form(self, number: int = 0) -> dict[str, str]:
        """The fields of a form that was sent."""
        return {name: values[0] for name, values in parse_qs(self.asked[number].body.decode()).items()}


def query(url: str) -> dict[str, str]:
    """The parameters of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class Browser:
    """Callbacks whose browser comes back with these, each made from the page's URL."""

    redirect_uri = "http://localhost:1457/auth/callback"

    def __init__(self, scene: Scene, *answers: Callable[[dict[str, str]], str]) -> None:
        self._scene = scene
        self._answers = answers
        self.sent_away = 0

    async def serve(self, settle: Settle) -> None:
        """As the protocol says."""
        for answer in self._answers:
            try:
                await settle(answer(query(self._scene.url)))
            except IssuerRefused as refused:
                if refused.code != "state_mismatch":
                    raise
                self.sent_away += 1
            else:
                return


def comes_back(asked: dict[str, str]) -> str:
    """A browser whose user said yes."""
    return f"/auth/callback?code=c0de&state={asked['state']}"


async def test_the_browser_brings_a_code() -> None:
    """The page is asked with a challenge, the code is exchanged with its verifier and the very redirect URI."""
    scene = Scene(CODEX, reply(GRANTED))
    await scene.flow.by_browser(Browser(scene, comes_back))
    asked, sent = query(scene.url), scene.form()
    assert (asked["redirect_uri"], asked["code_challenge_method"]) == (Browser.redirect_uri, "S256")
    assert (sent["code"], sent["redirect_uri"]) == ("c0de", Browser.redirect_uri)
    assert asked["code_challenge"] != sent["code_verifier"]
    assert scene.kept[0].access.reveal() == "at"
    assert scene.told == []


async def test_an_answer_to_another_login_changes_nothing() -> None:
    """It is sent away and told of; the login goes on."""
    scene = Scene(CODEX, reply(GRANTED))
    browser = Browser(scene, lambda _: "/auth/callback?code=evil&state=x", lambda _: "/auth/callback", comes_back)
    await scene.flow.by_browser(browser)
    assert (browser.sent_away, len(scene.kept), scene.form()["code"]) == (2, 1, "c0de")
    assert [kind for kind, *_ in scene.told] == ["trouble", "trouble"]


async def test_a_no_ends_it() -> None:
    """A denial with the right state ends the login, and nothing is asked of the issuer."""
    scene = Scene(CODEX)
    with pytest.raises(IssuerRefused, match="denied"):
        await scene.flow.by_browser(
            Browser(scene, lambda asked: f"/auth/callback?error=access_denied&state={asked['state']}")
        )
    assert (scene.asked, scene.kept) == ([], [])


async def test_an_old_code_is_told_in_words() -> None:
    """`invalid_grant` means another thing for a code than for a refresh token."""
    scene = Scene(CODEX, error("invalid_grant"))
    with pytest.raises(CredentialError, match="does not take the code") as caught:
        await scene.flow.by_browser(Browser(scene, comes_back))
    assert "start the login again" in (caught.value.hint or "")


async def test_an_issuer_that_cannot_be_reached() -> None:
    """The error says who, why, and where to look."""
    scene = Scene(CODEX, Unreachable("no connection to auth.openai.com: connection refused"))
    with pytest.raises(CredentialError, match="cannot be reached") as caught:
        await scene.flow.by_browser(Browser(scene, comes_back))
    assert "HTTPS_PROXY" in (caught.value.hint or "")
    assert isinstance(caught.value.__cause__, Unreachable)


@pytest.mark.parametrize(
    "paste",
    [
        lambda url: f"http://localhost:1455/auth/callback?code=c0de&scope=openid&state={query(url)['state']}\n",
        lambda url: f"  localhost:1455/auth/callback?state={query(url)['state']}&code=c0de",
        lambda url: f"code=c0de&state={query(url)['state']}",
        lambda _: "c0de\n",
    ],
)
async def test_pasting(paste: Callable[[str], str]) -> None:
    """The whole address, its query, or the code alone will do."""
    scene = Scene(CODEX, reply(GRANTED), pastes=paste)
    await scene.flow.by_pasting()
    assert scene.form()["code"] == "c0de"
    assert scene.form()["redirect_uri"] == query(scene.url)["redirect_uri"] == "http://localhost:1455/auth/callback"
    assert len(scene.kept) == 1


async def test_an_empty_line_is_asked_again() -> None:
    """A stray Enter does not end the login."""
    lines = ["\n", "  \n", "c0de\n"]
    scene = Scene(CODEX, reply(GRANTED), pastes=lambda _: lines.pop(0))
    await scene.flow.by_pasting()
    assert (lines, len(scene.kept)) == ([], 1)


@pytest.mark.parametrize(
    "pasted",
    ["http://localhost:1455/auth/callback?code=c0de&state=other", "http://[", "http://x?%ff#state=", "code=c0de"],
)
async def test_an_address_of_another_login_is_refused(pasted: str) -> None:
    """An address has to have our state, whatever else it is."""
    scene = Scene(CODEX, pastes=lambda _: pasted)
    with pytest.raises(IssuerRefused, match="not to our question"):
        await scene.flow.by_pasting()
    assert scene.asked == []


async def test_device_of_the_standard() -> None:
    """The code is shown, the issuer asked at its interval, and its tokens are kept."""
    scene = Scene(
        KIMI, reply(KIMI_CODE), error("authorization_pending"), error("authorization_pending"), reply(GRANTED)
    )
    await scene.flow.by_device()
    assert scene.told == [("code", "AB-12", "https://auth.kimi.com/device"), ("waiting", 55.0), ("waiting", 50.0)]
    assert scene.slept == [5, 5, 5]
    assert len(scene.kept) == 1


async def test_device_of_codex() -> None:
    """A 403 or 404 means that nobody has confirmed yet; in the end there is a code to be exchanged as any other."""
    granted = {"authorization_code": "c0de", "code_challenge": "x", "code_verifier": "ver"}
    scene = Scene(CODEX, reply(CODEX_CODE), reply({}, 403), reply({}, 404), reply(granted), reply(GRANTED))
    await scene.flow.by_device()
    assert scene.slept == [5, 5, 5]
    sent = scene.form(4)
    assert (sent["code"], sent["code_verifier"]) == ("c0de", "ver")
    assert sent["redirect_uri"] == "https://auth.openai.com/deviceauth/callback"
    assert len(scene.kept) == 1


async def test_slow_down_is_honoured() -> None:
    """Each `slow_down` adds five seconds for all further questions."""
    scene = Scene(
        KIMI, reply(KIMI_CODE), error("slow_down"), error("authorization_pending"), error("slow_down"), reply(GRANTED)
    )
    await scene.flow.by_device()
    assert scene.slept == [5, 10, 10, 15]
    assert [told for told in scene.told if told[0] == "slower"] == [("slower", 10.0), ("slower", 15.0)]


async def test_trouble_on_the_way_is_waited_out() -> None:
    """A broken network or issuer is asked less often each time, and told of; the code is still good."""
    scene = Scene(
        KIMI,
        reply(KIMI_CODE),
        Unreachable("no connection"),
        TimedOut("no answer"),
        error("busy", 503),
        reply(GRANTED),
    )
    await scene.flow.by_device()
    assert scene.slept == [5, 10, 20, 25]  # the last: all that is left of the minute
    assert [kind for kind, *_ in scene.told] == ["code", "trouble", "trouble", "trouble"]


@pytest.mark.parametrize("last", [error("expired_token"), error("authorization_pending")])
async def test_a_code_that_nobody_typed(last: Reply) -> None:
    """Whether the issuer says so or its time is up: the user is told to start again."""
    scene = Scene(KIMI, reply(KIMI_CODE), *([error("authorization_pending")] * 11), last)
    with pytest.raises(CredentialError, match="before the code expired") as caught:
        await scene.flow.by_device()
    assert caught.value.hint == "start again: strowger login kimi"
    assert sum(scene.slept) == KIMI_CODE["expires_in"]


async def test_a_no_on_the_other_device() -> None:
    """A denial ends it at once."""
    scene = Scene(KIMI, reply(KIMI_CODE), error("access_denied", 403))
    with pytest.raises(IssuerRefused, match="denied"):
        await scene.flow.by_device()
    assert scene.slept == [5]


async def test_device_codes_may_be_switched_off() -> None:
    """A 404 for the very first question means that the account does not allow it."""
    scene = Scene(CODEX, reply({}, 404))
    with pytest.raises(IssuerRefused, match="does not allow") as caught:
        await scene.flow.by_device()
    assert "browser" in (caught.value.hint or "")


@pytest.mark.parametrize("ahead", [-3600.0, 61.0])
async def test_a_wrong_clock_is_told_once(ahead: float) -> None:
    """By the Date of the issuer's replies, in whichever direction."""
    scene = Scene(
        KIMI,
        reply(KIMI_CODE, date=NOON - ahead),
        reply({"error": "authorization_pending"}, 400, date=NOON + 5 - ahead),
        reply(GRANTED, date=NOON + 10 - ahead),
    )
    await scene.flow.by_device()
    assert [told for told in scene.told if told[0] == "skewed"] == [("skewed", ahead)]


@pytest.mark.parametrize(
    "headers, skew", [({}, 0.0), ({"date": "soon"}, 0.0), ({"date": formatdate(NOON, usegmt=True)}, 5.0)]
)
def test_skew(headers: dict[str, str], skew: float) -> None:
    """Without a date that can be read, clocks agree."""
    assert skew_of(Reply(200, headers, b""), NOON + 5) == skew
