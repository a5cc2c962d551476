"""What an administrator may say about one upstream. Nothing a caller sends ever ends up here."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from trimtab.core import Api

ProviderKind = Literal["openai", "anthropic", "recorded"]
Seconds = Annotated[float, Field(gt=0, le=86_400)]

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
RESERVED_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "content-type", "expect", "te"}
)
_NATIVE_APIS: dict[ProviderKind, frozenset[Api]] = {
    "openai": frozenset({Api.CHAT_COMPLETIONS, Api.EMBEDDINGS}),
    "anthropic": frozenset({Api.MESSAGES}),
    "recorded": frozenset(Api),
}


class _Frozen(BaseModel):
    """Unknown keys are errors, and no error message repeats a value: it may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Timeouts(_Frozen):
    """Limits of one try, in seconds. The caller's own deadline is applied on top and may only shorten them."""

    connect_s: Seconds = 5.0
    """Name lookup, TCP and TLS together."""
    first_byte_s: Seconds = 300.0
    """From the request written to the response head. A non-streamed answer is generated within this."""
    idle_s: Seconds = 60.0
    """Longest silence between two pieces of the body."""
    total_s: Seconds = 900.0
    """The whole call, waiting for a slot and retries included."""


class BreakerSettings(_Frozen):
    """When calls to one model stop, and for how long."""

    consecutive_failures: int = Field(default=5, ge=1)
    """Opens after this many failures in a row."""
    failure_fraction: float = Field(default=0.5, gt=0, le=1)
    """Opens when at least this share of the calls in the window failed ..."""
    min_calls: int = Field(default=20, ge=1)
    """... and the window holds at least this many."""
    window_s: Seconds = 30.0
    """How far back the window reaches."""
    open_s: Seconds = 10.0
    """Time without calls before one probe is let through."""


class CoolDownSettings(_Frozen):
    """How long a model rests after it answered 429 or 503."""

    default_s: float = Field(default=1.0, ge=0, le=3600)
    """When the answer had no Retry-After; doubled for each such answer in a row. 0 switches that part off."""
    max_s: Seconds = 60.0
    """Longest rest, whatever Retry-After says."""


class RetrySettings(_Frozen):
    """When a try is repeated on the same model. Failover to another one is the gateway's business."""

    max_retries: int = Field(default=1, ge=0, le=10)
    """Repetitions on the same model, of what cannot have been worked on."""
    base_s: float = Field(default=0.1, ge=0, le=60)
    """Full jitter: a random share of ``base_s`` doubled per try, at most ``max_wait_s``."""
    max_wait_s: float = Field(default=2.0, ge=0, le=300)
    """A Retry-After longer than this is handed to the caller instead of waited for."""
    retry_on_timeout: bool = False
    """Repeat a try whose answer did not begin in time. The model may then have worked, and be paid, twice."""


class ProviderConfig(_Frozen):
    """One upstream as configured.

    Example:
        >>> config = ProviderConfig(name="local", kind="openai", base_url="http://127.0.0.1:8000/v1")
        >>> sorted(config.native_apis)
        [<Api.CHAT_COMPLETIONS: 'chat_completions'>, <Api.EMBEDDINGS: 'embeddings'>]
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    """First half of ``provider:model``."""
    kind: ProviderKind
    """The wire form it speaks, or ``recorded`` for answers from a file."""
    base_url: str | None = None
    """``http://`` or ``https://`` with an optional path, which is kept: ``https://api.openai.com/v1``."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key."""
    api_key_file: Path | None = None
    """File that holds the key; read again when it changes."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every call; they win over what the caller passes on."""
    body_fields: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    """By model: fields written into every request to it, over what the caller wrote. For servers of OpenAI's form."""
    timeouts: Timeouts = Timeouts()
    max_connections: int = Field(default=256, ge=1, le=65_535)
    """Connections to it at a time; a stream occupies one until it ends."""
    idle_connection_s: Seconds = 30.0
    """How long an unused connection is kept."""
    max_concurrency_per_model: int | None = Field(default=None, ge=1)
    """Calls under way on one model at a time; more wait until their deadline. ``None`` is no limit."""
    retries: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    cool_down: CoolDownSettings = CoolDownSettings()
    apis: frozenset[Api] | None = None
    """Wire forms the upstream speaks itself; ``None`` means the usual ones of its kind."""
    allow_link_local: bool = False
    """Permit link-local and cloud-metadata addresses, which are refused otherwise."""
    ca_file: Path | None = None
    """Certificates (PEM) to trust instead of the system's."""
    path: Path | None = None
    """File of recorded outcomes, for ``kind: recorded`` only."""

    @property
    def native_apis(self) -> frozenset[Api]:
        """Wire forms sent as they are; others are translated or refused."""
        return self.apis if self.apis is not None else _NATIVE_APIS[self.kind]

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else _checked_url(value)

    @field_validator("headers")
    @classmethod
    def _clean_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"header name {name!r} holds characters HTTP does not allow")
            if name.lower() in RESERVED_HEADERS:
                raise ValueError(f"header {name!r} is set by the client itself; remove it")
            if not is_header_value(text):
                raise ValueError(f"the value of header {name!r} holds a line break or a character outside Latin-1")
        return {name.lower(): text for name, text in value.items()}

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "recorded":
            if self.path is None:
                raise ValueError("kind 'recorded' needs `path`, the file of recorded outcomes")
        elif self.path is not None:
            raise ValueError(f"`path` belongs to kind 'recorded', not to {self.kind!r}")
        elif self.base_url is None:
            raise ValueError(f"kind {self.kind!r} needs `base_url`")
        if self.body_fields and self.kind != "openai":
            raise ValueError(f"`body_fields` belongs to kind 'openai', not to {self.kind!r}")
        reserved = {"model", "stream", "messages"} & {name for fields in self.body_fields.values() for name in fields}
        if reserved:
            raise ValueError(f"`body_fields` may not set {min(reserved)!r}: the call's own would be lost")
        if self.api_key_env is not None and self.api_key_file is not None:
            raise ValueError("give `api_key_env` or `api_key_file`, not both")
        return self


def is_header_value(text: str) -> bool:
    """Say whether ``text`` may stand in a header: Latin-1, and no control character but the tab."""
    return _HEADER_VALUE.fullmatch(text) is not None


def _checked_url(value: str) -> str:
    """Return the URL without a trailing slash. Messages leave its text out, which may hold a password."""
    if any(char <= " " or char == "\\" or char > "~" for char in value):
        raise ValueError("base_url holds a space, a control character, a backslash or a non-ASCII character")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("base_url must begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("base_url names no host")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("base_url holds credentials; use api_key_env or api_key_file")
    if "?" in value or "#" in value:
        raise ValueError("base_url has a query or fragment; only scheme, host, port and path are allowed")
    if ".." in parts.path.split("/"):
        raise ValueError("base_url has '..' in its path")
    if parts.port == 0:  # reading it also refuses a port that is no number
        raise ValueError("base_url has port 0")
    return value.rstrip("/")
