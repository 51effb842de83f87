"""How this machine gets out, from the configuration and the environment: proxies, and whom we trust.

Must not know how connections are made.
"""

from __future__ import annotations

from collections.abc import Mapping

from strowger.auth.sources import resolve
from strowger.config.references import Secret, SecretRef
from strowger.config.schema import Config, ProviderConfig
from strowger.errors import ConfigError
from strowger.upstreams.dialing import Network, Origin, place_of
from strowger.upstreams.proxies import Proxies
from strowger.upstreams.trust import Trust


async def network_of(config: Config, env: Mapping[str, str]) -> Network:
    """The way out. Raises ConfigError for what is of no use, and CredentialError for a reference that leads nowhere."""
    common = config.network
    proxy = await _resolved(common.proxy, env)
    proxies = Proxies(env, proxy, common.no_proxy)
    trust = Trust(env, common.ca_file, common.client_cert, common.client_key)
    besides: dict[Origin, Network] = {}
    named: dict[Origin, tuple[str, ProviderConfig]] = {}
    for name, provider in config.providers.items():
        if provider.base_url is None or not provider.base_url.startswith(("http:", "https:")):
            continue
        origin = place_of(provider.base_url).origin
        other, first = named.setdefault(origin, (name, provider))
        if (first.proxy, first.ca_file) != (provider.proxy, provider.ca_file):
            raise ConfigError(
                f"providers `{other}` and `{name}` have one host, but not the same way to it",
                hint="give both the same `proxy` and `ca_file`",
            )
        if provider.proxy is None and provider.ca_file is None:
            continue
        own = await _resolved(provider.proxy, env)
        besides[origin] = Network(
            proxies if own is None else Proxies(env, own, common.no_proxy, f"providers.{name}.proxy"),
            trust
            if provider.ca_file is None
            else Trust(env, provider.ca_file, common.client_cert, common.client_key, f"providers.{name}.ca_file"),
        )
    return Network(proxies, trust, besides)


async def _resolved(reference: SecretRef | None, env: Mapping[str, str]) -> Secret | None:
    return None if reference is None else await resolve(reference, env=env)
