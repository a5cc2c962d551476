"""Adapters to upstreams: OpenAI-compatible, native Anthropic, and recorded outcomes.

Every kind is a :class:`trimtab.gateway.Provider` and is made by ``KindProvider(config, clock=clock)``;
:func:`build_provider` picks the kind. The HTTP kinds speak through one shared part, which brings the connection pool,
deadlines, retries, breaker, cool-down, concurrency limit and API key, and adds nothing of a wire form::

    upstream = HttpUpstream(config, key_header="x-api-key", key_prefix="", clock=clock)
    response = await upstream.send("/v1/messages", headers, body, model="claude-x", deadline_s=deadline_s)
    upstream.is_available("claude-x")
    await upstream.aclose()

``path`` is appended to ``config.base_url``; ``headers`` are the caller's that may pass on (lower-case names; those of
``config.headers`` win); ``response`` is an :class:`trimtab.gateway.UpstreamResponse`, whatever its status.
``send`` raises what ``Provider.send`` says.
"""

from trimtab.providers.api_key import ApiKey
from trimtab.providers.build import build_provider
from trimtab.providers.config import BreakerSettings, ProviderConfig

__all__ = ["ApiKey", "BreakerSettings", "ProviderConfig", "build_provider"]
