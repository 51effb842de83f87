"""What is known of a model: how much it holds, how much it says, what it takes.

From its provider's own list where that tells; else from a small packaged table of well-known families (vendors' model
pages, autumn 2026), which is never taken for a closed list. Pure.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from msgspec import Struct


class Facts(Struct, frozen=True):
    """Tokens of context (input and what is written, as the vendor counts it) and of output; 0 when nobody says.
    `images` is None when nobody says. `prompt` is what may be asked at most, where that is less than the context.
    """

    context: int = 0
    output: int = 0
    images: bool | None = None
    prompt: int = 0

    def completed(self, other: Facts) -> Facts:
        """These facts, with `other` where they say nothing."""
        images = other.images if self.images is None else self.images
        # what was said of another context does not hold for this one
        prompt = self.prompt or (other.prompt if self.context in {0, other.context} else 0)
        return Facts(self.context or other.context, self.output or other.output, images, prompt)

    @property
    def room(self) -> int:
        """How long a conversation may become."""
        return self.prompt or self.context


UNKNOWN = Facts()

# The first that fits. A vendor's prefix before a slash is not looked at.
_KNOWN: tuple[tuple[str, Facts], ...] = (
    ("claude-3-5*", Facts(200_000, 8192, True)),
    ("claude-3-7*", Facts(200_000, 64_000, True)),
    ("claude-3*", Facts(200_000, 4096, True)),
    ("claude-opus-4-[01]*", Facts(200_000, 32_000, True)),
    ("claude-opus-4-2025*", Facts(200_000, 32_000, True)),
    ("claude-*-4-[0-5]*", Facts(200_000, 64_000, True)),
    ("claude-*-4-[678]*", Facts(1_000_000, 128_000, True)),
    ("claude-*-5*", Facts(1_000_000, 128_000, True)),
    ("gpt-4.1*", Facts(1_047_576, 32_768, True)),
    ("gpt-4o*", Facts(128_000, 16_384, True)),
    ("gpt-5*chat*", Facts(128_000, 16_384, True)),
    ("gpt-5.4-[mn]*", Facts(400_000, 128_000, True, 272_000)),  # mini and nano
    ("gpt-5.[456]*", Facts(1_050_000, 128_000, True, 922_000)),
    ("gpt-5*", Facts(400_000, 128_000, True, 272_000)),
    ("o[134]*", Facts(200_000, 100_000, True)),
    ("gpt-oss*", Facts(131_072, 131_072, False)),
    ("gemini-2.0*", Facts(1_048_576, 8192, True)),
    ("gemini-*", Facts(1_048_576, 65_536, True)),
    ("deepseek-v4*", Facts(1_000_000, 384_000, False)),
    ("deepseek-*", Facts(131_072, 65_536, False)),
    ("kimi-k3*", Facts(1_000_000, 0, True)),
    ("kimi-for-coding*", Facts(262_144, 0, True)),
    ("kimi-k2*", Facts(262_144, 0, None)),
    ("glm-4.[67]*", Facts(204_800, 131_072, False)),
    ("grok-4.20*", Facts(1_000_000, 0, True)),
    ("grok-4.3*", Facts(1_000_000, 0, True)),
    ("grok-4.[567]*", Facts(500_000, 0, True)),
    ("grok-4*", Facts(256_000, 0, True)),
    ("grok-code*", Facts(256_000, 0, False)),
)


def known(model: str) -> Facts:
    """What the packaged table says of a model."""
    name = model.lower().rpartition("/")[2]
    return next((facts for glob, facts in _KNOWN if fnmatchcase(name, glob)), UNKNOWN)
