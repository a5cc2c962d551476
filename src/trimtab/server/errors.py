"""One table: error types to HTTP statuses and to the error form each wire speaks."""

import msgspec

from trimtab.core import Api
from trimtab.core.errors import (
    AuthenticationFailed,
    BudgetExhausted,
    ConfigurationError,
    EngineError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PolicyMissing,
    PolicyRefused,
    RateLimited,
    RequestTooLarge,
    StoreError,
    TrimtabError,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
)

_STATUS: tuple[tuple[type[TrimtabError], int, str, str], ...] = (
    # error type, HTTP status, OpenAI's `type`, Anthropic's `type`; the first match counts
    (RequestTooLarge, 413, "invalid_request_error", "request_too_large"),
    (InvalidRequest, 400, "invalid_request_error", "invalid_request_error"),
    (AuthenticationFailed, 401, "authentication_error", "authentication_error"),
    (PermissionDenied, 403, "permission_error", "permission_error"),
    (PolicyRefused, 403, "permission_error", "permission_error"),
    (PolicyMissing, 503, "server_error", "api_error"),
    (NotFound, 404, "invalid_request_error", "not_found_error"),
    (BudgetExhausted, 402, "insufficient_quota", "billing_error"),
    (RateLimited, 429, "rate_limit_error", "rate_limit_error"),
    (UpstreamTimeout, 504, "upstream_error", "timeout_error"),
    (UpstreamUnavailable, 503, "upstream_error", "overloaded_error"),
    (UpstreamError, 502, "upstream_error", "api_error"),
    (ConfigurationError, 400, "invalid_request_error", "invalid_request_error"),
    (EngineError, 503, "server_error", "api_error"),
    (StoreError, 503, "server_error", "api_error"),
    (TrimtabError, 500, "server_error", "api_error"),
)


def status_of(error: TrimtabError) -> int:
    """Return the HTTP status of an error."""
    return _row(error)[0]


def body_of(error: TrimtabError, api: Api) -> bytes:
    """Return the error's JSON in the caller's wire form; the hint is part of the message."""
    _, openai_type, anthropic_type = _row(error)
    message = error.message if error.hint is None else f"{error.message} {error.hint}"
    if api is Api.MESSAGES:
        return msgspec.json.encode({"type": "error", "error": {"type": anthropic_type, "message": message}})
    return msgspec.json.encode(
        {"error": {"message": message, "type": openai_type, "param": error.param, "code": error.code}}
    )


def _row(error: TrimtabError) -> tuple[int, str, str]:
    for kind, status, openai_type, anthropic_type in _STATUS:
        if isinstance(error, kind):
            return status, openai_type, anthropic_type
    raise AssertionError("TrimtabError ends the table")
