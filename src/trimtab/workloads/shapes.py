"""The countable side of a request, in steps so coarse that equal-looking calls look equal."""

import msgspec

from trimtab.core import Api
from trimtab.core.messages import WireRequest


class RequestShape(msgspec.Struct, frozen=True, kw_only=True):
    """What can be counted in a request without understanding it."""

    n_tools: int
    n_images: int
    n_messages: int
    """0 for embeddings."""
    n_choices: int
    json_mode: str | None
    """``json_schema``, ``json_object`` or ``None`` for free text."""
    input_tokens: int
    """Upper estimate, rounded up to a power of two."""
    max_output_tokens: int | None
    """The caller's own limit, rounded up to a power of two; ``None`` without one."""
    language: str
    """ISO 639-1 code, or ``unknown``. No rule recognises a language yet, so it is always ``unknown``."""


def shape_of(request: WireRequest) -> RequestShape:
    """Count.

    Raises:
        InvalidRequest: a field that is counted has the wrong type.
    """
    limit = request.max_output_tokens
    return RequestShape(
        n_tools=request.n_tools,
        n_images=request.n_images,
        n_messages=0 if request.api is Api.EMBEDDINGS else len(request.messages),
        n_choices=request.n_choices,
        json_mode=request.json_mode,
        input_tokens=rounded_up(request.estimated_input_tokens),
        max_output_tokens=None if limit is None else rounded_up(limit),
        language="unknown",
    )


def rounded_up(n_tokens: int) -> int:
    """Return the next power of two, in which token counts reach rules and records.

    >>> [rounded_up(n) for n in (0, 1, 2, 3, 1000, 1024)]
    [0, 1, 2, 4, 1024, 1024]
    """
    return 1 << (n_tokens - 1).bit_length() if n_tokens > 1 else n_tokens
