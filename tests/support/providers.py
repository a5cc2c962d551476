"""Providers of every kind for tests: made, asked and read in the same way."""

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from trimtab.core import Api, Clock
from trimtab.gateway.upstream import Provider, UpstreamRequest, UpstreamResponse
from trimtab.providers import ProviderConfig, build_provider

PROMPT = "Which bird is this?"
ANSWER = "w0 w1 w2 w3 w4 "
"""What the mock upstream says, and what the recorded file holds."""


@asynccontextmanager
async def provider_of(kind: str, *, clock: Clock | None = None, **config: Any) -> AsyncIterator[Provider]:
    """Make one provider; retries are off unless asked for."""
    if kind != "recorded":
        config = {"retries": {"max_retries": 0}, **config}
    provider = build_provider(ProviderConfig.model_validate({"name": "p", "kind": kind, **config}), clock=clock)
    try:
        yield provider
    finally:
        await provider.aclose()


def write_outcomes(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write a file of recorded outcomes as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def request_of(
    api: Api,
    model: str,
    *,
    is_stream: bool = False,
    deadline_in_s: float = 10.0,
    headers: Mapping[str, str] | None = None,
    prompt_id: str | None = None,
    text: str = PROMPT,
    **fields: object,
) -> UpstreamRequest:
    """Return a request in the caller's wire form."""
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    if api is Api.EMBEDDINGS:
        body = {"model": model, "input": text, **fields}
    elif api is Api.MESSAGES:
        body = {"max_tokens": 100, **body}
    if is_stream:
        body["stream"] = True
    return UpstreamRequest(
        api=api,
        model=model,
        body=json.dumps(body).encode(),
        is_stream=is_stream,
        deadline_s=time.monotonic() + deadline_in_s,
        headers=headers or {},
        prompt_id=prompt_id,
    )


async def read(response: UpstreamResponse) -> bytes:
    """Read a whole body."""
    return b"".join([chunk async for chunk in response.chunks()])


async def ask(provider: Provider, model: str, api: Api = Api.CHAT_COMPLETIONS, **options: Any) -> Any:
    """Send, read and return the decoded answer."""
    response = await provider.send(request_of(api, model, **options))
    return json.loads(await read(response))
