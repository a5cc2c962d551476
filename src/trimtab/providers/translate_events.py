"""What both stream translators share: events in, bytes out, and errors read from whatever a provider sent."""

from abc import ABC, abstractmethod

import msgspec

from trimtab.core.errors import UpstreamError
from trimtab.core.sse import EventReader

_MAX_EVENT_BYTES = 16 * 1024 * 1024


class EventTranslator(ABC):
    """Turns a stream of one wire form into another as it comes.

    Raises:
        UpstreamError: the provider's stream is not of its form, or an event is longer than 16 MiB.
    """

    def __init__(self) -> None:
        self._reader = EventReader(max_event_bytes=_MAX_EVENT_BYTES)

    def feed(self, chunk: bytes) -> bytes:
        """Return what the events completed by ``chunk`` become; often empty, never held back longer than an event."""
        translated = b"".join([self.translate(event) for event in self._reader.feed(chunk)])
        if self._reader.n_skipped:
            raise UpstreamError(f"The provider's stream holds an event of more than {_MAX_EVENT_BYTES} bytes.")
        return translated

    def flush(self) -> bytes:
        """Return what the end of the stream becomes. A stream that was cut short gets no ending it did not have."""
        rest = self._reader.flush()
        return self.translate(rest) if rest.strip() else b""

    @abstractmethod
    def translate(self, event: bytes) -> bytes:
        """Return what one event becomes."""


def frame(data: bytes, *, event: str | None = None) -> bytes:
    """Return one server-sent event."""
    return (b"" if event is None else b"event: " + event.encode() + b"\n") + b"data: " + data + b"\n\n"


class _Problem(msgspec.Struct):
    message: str | None = None
    type: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _Problem | str


_ERROR = msgspec.json.Decoder(_ErrorBody)


def error_message(body: bytes, status: int) -> tuple[str, str]:
    """Return type and message of an error in either wire form; a body in neither is named, never quoted."""
    try:
        error = _ERROR.decode(body).error
    except (msgspec.DecodeError, RecursionError):
        return "api_error", f"The provider answered {status} with a body that is no error in its wire form."
    if isinstance(error, str):
        return "api_error", error
    return error.type or "api_error", error.message or f"The provider answered {status} and gave no message."
