"""The tree of everything that can go wrong and is expected to.

::

    TrimtabError
    ├── ConfigurationError          a setting, file or price that cannot be used          (start-up, CLI)
    │   ├── PolicyInvalid           a policy file refused, with file and line
    │   └── ModelFileInvalid        a model's weights, tokenizer or adapter that cannot be read or served
    ├── NotFound                    a name or id nobody knows
    │   └── UnknownModel            a call names a model outside the pool
    ├── InvalidRequest              the caller's bytes break a rule
    │   └── RequestTooLarge
    ├── AuthenticationFailed        no key, a wrong key, an expired or revoked key
    ├── PermissionDenied            a good key that may not do this
    ├── PolicyRefused               policy left no model for the call
    ├── PolicyMissing               no policy is in force, so nothing may be chosen
    ├── BudgetExhausted             a cap is used up and its action is to refuse
    ├── RateLimited                 too many calls or tokens in the window
    ├── UpstreamError               a provider failed
    │   ├── UpstreamTimeout
    │   └── UpstreamUnavailable     breaker open, cool-down or no capacity
    ├── AnsweredByAnother           an evaluation asked one model, and policy had another one answer
    ├── EngineError                 a local model server did not start, ended or refused
    └── StoreError                  the journal or its database failed

Core knows no HTTP: ``trimtab.server`` maps these types to statuses and ``trimtab.cli`` to exit codes.
"""


class TrimtabError(Exception):
    """An expected failure: a stable ``code``, a message with the value and its origin, and a next step."""

    code: str = "internal_error"

    def __init__(self, message: str, *, hint: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.param = param
        """The request field at fault, as OpenAI's error form names it."""
        self.call_id: str | None = None
        """The call's record, when one was made before the failure."""

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message), self.__dict__)


def _rebuild(kind: type[TrimtabError], message: str) -> TrimtabError:
    """Make the error without its own signature, which differs by kind; what it says follows as its state."""
    return kind.__new__(kind, message)


class ConfigurationError(TrimtabError):
    """A setting, file or price that cannot be used."""

    code = "configuration_invalid"


class PolicyInvalid(ConfigurationError):
    """A policy file refused; the message carries ``file:line`` and the reason."""

    code = "policy_invalid"


class ModelFileInvalid(ConfigurationError):
    """A model's weights, tokenizer or adapter that cannot be read, converted or served."""

    code = "model_file_invalid"


class NotFound(TrimtabError):
    """A name or id that nobody knows."""

    code = "not_found"


class UnknownModel(NotFound):
    """A call names a model that is not in the pool."""

    code = "model_not_found"


class InvalidRequest(TrimtabError):
    """The caller's bytes break a rule; nothing was sent upstream."""

    code = "invalid_request"


class RequestTooLarge(InvalidRequest):
    """The body passes the size limit; it was not parsed."""

    code = "request_too_large"


class AuthenticationFailed(TrimtabError):
    """No key, a wrong key, or one that expired or was revoked."""

    code = "invalid_api_key"


class PermissionDenied(TrimtabError):
    """The key is good and may not do this."""

    code = "permission_denied"


class PolicyRefused(TrimtabError):
    """Policy left no model for this call; the message names the rule that removed the last one."""

    code = "policy_refused"


class PolicyMissing(TrimtabError):
    """No policy is in force. The router refuses; it never guesses."""

    code = "policy_missing"


class BudgetExhausted(TrimtabError):
    """A cap is used up and its configured action is to refuse."""

    code = "budget_exhausted"


class RateLimited(TrimtabError):
    """More calls or tokens in the window than the key may send."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class UpstreamError(TrimtabError):
    """A provider failed; ``status`` is its HTTP status when it gave one."""

    code = "upstream_error"

    def __init__(self, message: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class UpstreamTimeout(UpstreamError):
    """The deadline passed before the provider answered."""

    code = "upstream_timeout"


class UpstreamUnavailable(UpstreamError):
    """Breaker open, cool-down running, or no capacity left on this model."""

    code = "upstream_unavailable"


class AnsweredByAnother(TrimtabError):
    """An evaluation asked one model, and another one answered: policy treats the model that a call names as a hint."""

    code = "answered_by_another"


class EngineError(TrimtabError):
    """A local model server did not start, ended or refused."""

    code = "engine_failed"


class StoreError(TrimtabError):
    """The journal or its database failed."""

    code = "store_error"
