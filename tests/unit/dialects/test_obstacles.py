"""What an upstream does not take, told from the bytes."""

from strowger.dialects.base import Capabilities
from strowger.dialects.obstacles import finder


def test_only_what_is_not_accepted_is_an_obstacle() -> None:
    """Each upstream has its own, and none where it takes everything."""
    asked: list[Capabilities] = []

    def listing(caps: Capabilities) -> list[tuple[bool, bytes]]:
        asked.append(caps)
        return [(caps.images, rb'"image"'), (caps.tools, rb'"tools"\s*:')]

    holds = finder(listing)
    blind = Capabilities(images=False)
    assert holds(b'{"type":"image"}', blind)
    assert not holds(b'{"tools" :[]}', blind)
    assert holds(b'{"tools" :[]}', Capabilities(tools=False))
    assert not holds(b'{"type":"image","tools":[]}', Capabilities())
    assert holds(b'"image"', blind)
    assert asked.count(blind) == 1
