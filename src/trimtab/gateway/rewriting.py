"""The few fields of a body that the gateway changes: ``model``, and what policy and bookkeeping demand."""

from typing import Any

from trimtab.catalog import ModelCard
from trimtab.core import Api
from trimtab.core.errors import InvalidRequest
from trimtab.core.messages import WireRequest
from trimtab.gateway.upstream import Provider
from trimtab.policy import Constraints


def rewritten_body(request: WireRequest, constraints: Constraints, card: ModelCard, provider: Provider) -> bytes:
    """Return the body that goes to the model; every field not named here keeps its bytes."""
    changes: dict[str, Any] = {"model": card.model}  # Any: JSON values
    limit = constraints.max_output_tokens
    if limit is not None and request.api is not Api.EMBEDDINGS:
        _clamp_output(request, limit, provider, changes)
    if constraints.max_choices is not None and request.n_choices > constraints.max_choices:
        changes["n"] = constraints.max_choices
    if asks_usage_itself(request):
        options = request.get("stream_options")
        changes["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return request.rewritten(changes)


def _clamp_output(request: WireRequest, limit: int, provider: Provider, changes: dict[str, Any]) -> None:
    """Lower the caller's limit; where it set none, give one under the name the upstream knows."""
    is_messages = request.api is Api.MESSAGES
    known = ("max_tokens",) if is_messages else ("max_completion_tokens", "max_tokens")
    names = [name for name in known if request.get(name) is not None]
    if not names:
        changes["max_tokens" if is_messages else provider.output_limit_field] = limit
    for name in names:
        asked = request.get(name)
        if isinstance(asked, int) and asked > limit:
            changes[name] = limit


def asks_usage_itself(request: WireRequest) -> bool:
    """Return whether the gateway must ask for usage on this stream, because the caller did not.

    Raises:
        InvalidRequest: ``stream_options`` is not an object.
    """
    if not request.is_stream or request.api is not Api.CHAT_COMPLETIONS:
        return False
    if "stream_options" not in request.fields:
        return True
    options = request.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise InvalidRequest("The field `stream_options` is not an object.", param="stream_options")
    return not (options or {}).get("include_usage")
