"""What Kimi Code wants besides its dialects: with a login, a client that names itself, and one and the same device.

Its tokens are bound to a device id, and its issuer asks every program to say its own name. So a request that is paid by
our login says ours, even where its client is another program; one that is paid by a key says who the client is.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from strowger import __version__
from strowger.auth.credential import Credential
from strowger.providers.terms import Facts, Terms
from strowger.upstreams.base import Outgoing

_IDENTITY = "x-msh-"


class KimiTerms(Terms):
    """The terms of Kimi Code, the same for both of its dialects."""

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """With a login: our name and device, and nothing that a client says of itself in their place."""
        own = tuple(line for credential in used for line in credential.companions)
        if not own:
            return out
        names = {name.lower() for name, _ in own}
        kept = [
            line
            for line in out.headers
            if (low := line[0].lower()) != "user-agent" and (low in names or not low.startswith(_IDENTITY))
        ]
        return replace(out, headers=(*kept, ("User-Agent", f"strowger/{__version__}")))
