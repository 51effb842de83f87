"""AWS credentials, through the optional library `botocore`: imported when first used, and never on the event loop.

It finds what AWS's own tools find: variables, profiles, SSO, the roles of containers and machines; and it renews what
expires. A request is not authorised by a secret in a header but by a signature over it, so `sign` has the last word on
a request. Must not know which service a request is for, beyond its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import anyio
import anyio.to_thread

from strowger.auth.credential import Credential
from strowger.config.references import Secret
from strowger.errors import CredentialError

_EXTRA = "pip install 'strowger[bedrock]', or set AWS_BEARER_TOKEN_BEDROCK"
_NOWHERE = "`aws configure`, `aws sso login`, AWS_PROFILE, or a bearer token in AWS_BEARER_TOKEN_BEDROCK"


class AwsKeys(Credential, frozen=True):
    """What a request is signed with. `value` is the access key's id, which is no secret but says whose it is."""

    secret: Secret = Secret("")
    session: Secret = Secret("")

    def secrets(self) -> tuple[Secret, ...]:
        """The token of the session travels with each request, so that a host may quote it."""
        return (self.value, self.secret, self.session)


class Found(Protocol):
    """What we use of botocore's credentials. Blocking."""

    def get_frozen_credentials(self) -> Any:
        """Access key, secret key and token as they are now, renewed if need be."""
        ...


class AwsSource:
    """The credentials of a profile, or of the default chain. Several calls that need them at once share one fetch."""

    def __init__(self, profile: str = "", *, owner: str = "") -> None:
        """Looks nothing up yet. `owner` is named in errors (`provider x`)."""
        self._profile = profile
        self._owner = owner
        self._found: Found | None = None
        self._keys: AwsKeys | None = None
        self._lock = anyio.Lock()

    def __repr__(self) -> str:
        return f"AwsSource(profile={self._profile!r})"

    async def credential(self) -> Credential:
        """The keys, renewed ahead of their end. Raises CredentialError."""
        keys = self._keys
        if keys is None or self._is_ageing():
            async with self._lock:
                if self._keys is keys:
                    self._keys = await anyio.to_thread.run_sync(self._fetch)
                keys = self._keys
        assert keys is not None
        return keys

    def invalidate(self, used: Credential) -> bool:
        """Forget everything: the next keys are looked up from the beginning."""
        if self._keys is not None and self._keys == used:
            self._keys = self._found = None
        return True

    def known(self) -> Credential | None:
        """What is in memory now."""
        return self._keys

    def _is_ageing(self) -> bool:
        needed = getattr(self._found, "refresh_needed", None)
        return needed is not None and bool(needed())

    def _fetch(self) -> AwsKeys:
        botocore = _botocore(self._owner)
        try:
            if self._found is None:
                self._found = botocore.session.Session(profile=self._profile or None).get_credentials()
            if self._found is None:
                raise CredentialError(f"there are no AWS credentials{_of(self._owner)}", hint=_NOWHERE)
            frozen = self._found.get_frozen_credentials()
        except _failures(botocore) as error:
            raise CredentialError(
                f"the AWS credentials{_of(self._owner)} cannot be had: {_why(error, botocore)}", hint=_NOWHERE
            ) from None
        return AwsKeys(
            "authorization",
            Secret(frozen.access_key),
            "raw",
            secret=Secret(frozen.secret_key),
            session=Secret(frozen.token or ""),
        )


def sign(
    keys: AwsKeys,
    *,
    method: str,
    url: str,
    body: bytes,
    service: str,
    region: str,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The headers that authorise exactly this request (Signature Version 4), among them those in `headers`, which are
    covered too.
    """
    botocore = _botocore("")
    request = botocore.awsrequest.AWSRequest(method, url, headers=dict(headers), data=body)
    credentials = botocore.credentials.Credentials(
        keys.value.reveal(), keys.secret.reveal(), keys.session.reveal() or None
    )
    botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    return dict(request.headers.items())


def _failures(botocore: Any) -> tuple[type[Exception], ...]:
    """What finding credentials may raise: the user's own programs and files have a part in it."""
    own = botocore.exceptions
    return own.BotoCoreError, own.ClientError, OSError, ValueError, LookupError, AttributeError, TypeError


def _why(error: Exception, botocore: Any) -> str:
    """What went wrong, without anything that a program wrote: it may be a secret."""
    if isinstance(error, botocore.exceptions.CredentialRetrievalError):
        return f"{error.kwargs.get('provider', 'a provider')} gave none"
    if isinstance(error, botocore.exceptions.BotoCoreError | botocore.exceptions.ClientError):
        return str(error)
    return (
        error.strerror if isinstance(error, OSError) else None
    ) or f"what was found is none ({type(error).__name__})"


def _of(owner: str) -> str:
    return f" of {owner}" if owner else ""


def _botocore(owner: str) -> Any:
    try:
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials
        import botocore.exceptions
        import botocore.session
    except ImportError:
        raise CredentialError(f"signing requests to AWS{_of(owner)} needs botocore", hint=_EXTRA) from None
    return botocore
