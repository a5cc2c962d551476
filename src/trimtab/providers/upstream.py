"""One HTTP upstream, hardened: what every kind of live provider sends its bytes through."""

import asyncio
import random
import time
from collections.abc import Mapping

from trimtab.core import Clock, SystemClock
from trimtab.core.errors import ConfigurationError, TrimtabError
from trimtab.gateway import UpstreamResponse
from trimtab.providers.api_key import ApiKey
from trimtab.providers.config import ProviderConfig
from trimtab.providers.http1 import ConnectFailed, ConnectTimeout, Exchange, HeadTimeout, Http1Client, Origin
from trimtab.providers.model_health import REFUSALS, ModelHealth
from trimtab.providers.request_head import RequestHeads
from trimtab.providers.retry_after import retry_after_s
from trimtab.providers.scrubbing import ScrubbedError

_TIMER_SLACK_S = 0.001
"""uvloop counts whole milliseconds, so a sleep may end that much early; the cool-down asked for must be over."""


class HttpUpstream:
    """Connection pool, deadlines, retries, breaker, cool-down, concurrency and key; nothing of a wire form.

    Args:
        config: The upstream; ``base_url`` must be set.
        key_header: Lower-case name of the header that carries the key.
        key_prefix: Stands before the key in it.
        clock: Time for breaker, cool-down and ``Retry-After`` dates.

    Raises:
        ConfigurationError: the configuration names no ``base_url``, or a ``ca_file`` that cannot be used.
    """

    def __init__(
        self,
        config: ProviderConfig,
        *,
        key_header: str = "authorization",
        key_prefix: str = "Bearer ",
        clock: Clock | None = None,
    ) -> None:
        if config.base_url is None:
            raise ConfigurationError(f"provider {config.name!r} has no base_url.", hint="Give it one.")
        self.name = config.name
        self._config = config
        self._clock: Clock = clock or SystemClock()
        self._key = ApiKey(config)
        self._heads = RequestHeads(config, key_header=key_header, key_prefix=key_prefix)
        self._healths: dict[str, ModelHealth] = {}
        self._client = Http1Client(
            Origin.of(config.base_url),
            max_connections=config.max_connections,
            keep_s=config.idle_connection_s,
            connect_s=config.timeouts.connect_s,
            first_byte_s=config.timeouts.first_byte_s,
            idle_s=config.timeouts.idle_s,
            allow_link_local=config.allow_link_local,
            ca_file=config.ca_file,
        )

    def __repr__(self) -> str:
        return f"HttpUpstream({self.name!r}, {self._client.origin.authority!r}, {self._key!r})"

    def is_available(self, model: str) -> bool:
        """Return whether a call to ``model`` would be tried at once."""
        now_s = self._clock.monotonic_s()
        health = self._healths.get(model)
        return self._key.is_ready(now_s) and (health is None or health.is_available(now_s))

    async def send(
        self, path: str, headers: Mapping[str, str], body: bytes, *, model: str, deadline_s: float
    ) -> UpstreamResponse:
        """POST ``body`` and return once the response head has arrived, whatever its status.

        A try is repeated on the same model only where nothing can have been worked on twice: no connection came
        about, or the upstream refused with 429, 503 or 529 and a ``Retry-After`` short enough to wait for.

        Args:
            path: Appended to the base URL.
            headers: The caller's that may pass on; lower-case names.
            body: JSON, sent as it is.
            model: Whose breaker, cool-down and slots count.
            deadline_s: ``time.monotonic()`` value after which the call is over; ``timeouts.total_s`` may end it sooner.

        Raises:
            UpstreamTimeout: no connection or no head in time.
            UpstreamUnavailable: breaker open, cooling down, no key, no slot or no free connection.
            UpstreamError: connection refused, reset, TLS failure, refused address or not HTTP.
            InvalidRequest: a header of the caller's cannot be sent.
        """
        key = self._key.current(self._clock.monotonic_s())
        head = self._heads.encode(path, headers, len(body), key=key)
        deadline_s = min(deadline_s, time.monotonic() + self._config.timeouts.total_s)
        health = self._healths.get(model)
        if health is None:
            health = self._healths[model] = ModelHealth(self._config, model, self._clock)
        n_retries = 0
        while True:
            wait_s: float | None = None
            label = f"{health.label}, try {n_retries + 1}" if n_retries else health.label
            try:
                exchange = await self._try(health, head, body, label, deadline_s)
            except (ConnectFailed, ConnectTimeout, HeadTimeout) as exc:
                if not isinstance(exc, HeadTimeout) or self._config.retries.retry_on_timeout:
                    wait_s = self._wait_s(health, n_retries, deadline_s, at_least_s=0.0)
                if wait_s is None:
                    raise
            else:
                if exchange.status in REFUSALS:
                    asked_s = retry_after_s(exchange.headers, now_us=self._clock.now_us())
                    if asked_s is not None and asked_s <= self._config.retries.max_wait_s:
                        wait_s = self._wait_s(health, n_retries, deadline_s, at_least_s=asked_s + _TIMER_SLACK_S)
                if wait_s is None:
                    return exchange if exchange.status < 400 or key is None else ScrubbedError(exchange, key)
                await exchange.aclose()
            await asyncio.sleep(wait_s)
            n_retries += 1

    async def aclose(self) -> None:
        """Close idle connections; calls under way end by their own deadline."""
        await self._client.aclose()

    async def _try(self, health: ModelHealth, head: bytes, body: bytes, label: str, deadline_s: float) -> Exchange:
        is_probe = await health.admit(deadline_s)
        try:
            exchange = await self._client.request(head, body, label=label, deadline_s=deadline_s)
        except (TrimtabError, asyncio.CancelledError) as exc:
            health.over(exc, status=0, is_probe=is_probe)
            raise
        status = exchange.status
        health.on_head(exchange)
        exchange.when_over(lambda outcome: health.over(outcome, status=status, is_probe=is_probe))
        return exchange

    def _wait_s(self, health: ModelHealth, n_retries: int, deadline_s: float, *, at_least_s: float) -> float | None:
        """Return how long to wait before another try; ``None`` when there is none.

        Source:
            "Full jitter": Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015).
        """
        retries = self._config.retries
        if n_retries >= retries.max_retries or not health.may_retry():
            return None
        wait_s = at_least_s + random.random() * min(retries.max_wait_s, retries.base_s * 2.0**n_retries)
        return wait_s if time.monotonic() + wait_s < deadline_s else None
