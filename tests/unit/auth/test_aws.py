"""AWS credentials as AWS's own tools find them, and what is signed with them."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import botocore.awsrequest  # asks the system for IPv6, once, which no unit test may
import botocore.exceptions
import pytest

from strowger.auth.aws import AwsKeys, AwsSource, sign
from strowger.config.references import Secret
from strowger.errors import CredentialError

pytestmark = pytest.mark.anyio

FILE = """
[work]
aws_access_key_id = AKIAWORK
aws_secret_access_key = secret-of-work

[printed]
credential_process = {command}
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    script = tmp_path / "keys.py"
    script.write_text(
        "import sys, json, pathlib\n"
        "path = pathlib.Path(sys.argv[1]); n = int(path.read_text() or 0) + 1; path.write_text(str(n))\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'AKIA{n}', 'SecretAccessKey': 's', 'SessionToken': f't{n}',"
        " 'Expiration': '2026-01-01T00:00:00Z' if n == 1 else '2099-01-01T00:00:00Z'}))\n"
    )
    (tmp_path / "count").write_text("")
    command = f"{sys.executable} {script} {tmp_path / 'count'}"
    credentials = tmp_path / "credentials"
    credentials.write_text(FILE.format(command=command))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


async def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default chain begins with them; only the id of the key is where a header's value is."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-env")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    source = AwsSource()
    assert source.known() is None
    keys = await source.credential()
    assert isinstance(keys, AwsKeys)
    assert (keys.header, keys.value.reveal(), keys.secret.reveal()) == ("authorization", "AKIAENV", "secret-of-env")
    assert keys.session.reveal() == "session"
    assert source.known() == keys
    assert "secret-of-env" not in repr(keys) + repr(source)


async def test_a_profile() -> None:
    """By its name."""
    keys = await AwsSource("work").credential()
    assert keys.value.reveal() == "AKIAWORK"


@pytest.mark.parametrize("profile, words", [("", "there are no AWS credentials of x"), ("other", "other")])
async def test_nothing_to_be_had(profile: str, words: str) -> None:
    """Is told with what can be done about it."""
    with pytest.raises(CredentialError, match=words) as caught:
        await AwsSource(profile, owner="x").credential()
    assert "aws sso login" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "program",
    [
        "print('planted')",
        "print('[1]')",
        "print('{\"Version\": 1}')",
        'print(\'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "planted"}\')',
        "import sys; sys.stderr.write('planted'); sys.exit(3)",
        "",
    ],
)
async def test_a_program_that_gives_no_keys(tmp_path: Path, program: str) -> None:
    """Whatever it does instead, and also if it is not there, there are no keys; what it wrote is not repeated."""
    script = tmp_path / "odd.py"
    script.write_text(program)
    command = f"{sys.executable} {script}" if program else "/nowhere/planted"
    (tmp_path / "credentials").write_text(f"[odd]\ncredential_process = {command}\n")
    with pytest.raises(CredentialError, match="the AWS credentials of x cannot be had") as caught:
        await AwsSource("odd", owner="x").credential()
    assert "planted" not in caught.value.text


async def test_a_role_that_may_not_be_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS says to that is told."""

    def refuse(_: object) -> None:
        raise botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "AssumeRole")

    monkeypatch.setattr("botocore.session.Session.get_credentials", refuse)
    with pytest.raises(CredentialError, match="not you"):
        await AwsSource().credential()


async def test_keys_that_expire(tmp_path: Path) -> None:
    """Are renewed ahead of their end, once for all who ask at the same time."""
    source = AwsSource("printed")
    first = await source.credential()
    found: list[str] = []

    async def ask() -> None:
        found.append((await source.credential()).value.reveal())

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    assert (first.value.reveal(), set(found)) == ("AKIA2", {"AKIA2"})


async def test_refused_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are looked up from the beginning; a refusal of older ones changes nothing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    source = AwsSource()
    old = await source.credential()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA2")
    assert await source.credential() == old
    assert source.invalidate(old)
    new = await source.credential()
    assert new.value.reveal() == "AKIA2"
    assert source.invalidate(old)
    assert source.known() == new


async def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is optional, the user is told what to install, or what does without it."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(CredentialError, match="needs botocore") as caught:
        await AwsSource().credential()
    assert "strowger[bedrock]" in (caught.value.hint or "")


def test_a_signature() -> None:
    """Covers what it is asked to cover; a session's token goes along."""
    keys = AwsKeys("authorization", Secret("AKIA"), "raw", secret=Secret("s"), session=Secret("t"))
    signed = sign(
        keys,
        method="POST",
        url="https://bedrock-runtime.us-east-1.amazonaws.com/model/a%2Fb/invoke",
        body=b"{}",
        service="bedrock",
        region="us-east-1",
        headers={"content-type": "application/json"},
    )
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in signed["Authorization"]
    assert signed["X-Amz-Security-Token"] == "t"
