"""Server-sent events as bytes: splitting a stream into events, and hiding one event that the caller did not ask for.

Lines may end in LF, CRLF or CR, as the HTML standard allows (§9.2.5), and a stream may be cut anywhere. An event here
is the raw bytes of its lines with the blank line that ends it; comments and keep-alives are events without data.
"""

import re

import msgspec

_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
"""A line end and a blank line. A CR that ends the bytes at hand is left open: it may be half of a CRLF."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_PARTIAL_END = 3
_BOM = b"\xef\xbb\xbf"
_HAS_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*[^\s\]]')
USAGE_OBJECT = re.compile(rb'"usage"\s*:\s*\{')
"""A ``usage`` that says something: OpenAI puts ``"usage":null`` into every other chunk."""


class EventReader:
    """Cuts a stream into events, in linear time however it is split.

    Args:
        max_event_bytes: A longer event is skipped and counted.
    """

    __slots__ = ("_buffer", "_is_skipping", "_max", "_scanned", "n_skipped")

    def __init__(self, *, max_event_bytes: int = 1_048_576) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._max = max_event_bytes
        self._is_skipping = False
        self.n_skipped = 0

    @property
    def is_between_events(self) -> bool:
        """Whether nothing of an unfinished event is held."""
        return not self._buffer and not self._is_skipping

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the events that ``chunk`` completes, blank lines included."""
        buffer = self._buffer
        buffer += chunk
        events: list[bytes] = []
        start = 0
        while match := _END.search(buffer, max(start, self._scanned - _LONGEST_PARTIAL_END)):
            if self._is_skipping or match.end() - start > self._max:
                self.n_skipped += 1
                self._is_skipping = False
            else:
                events.append(bytes(buffer[start : match.end()]))
            start = self._scanned = match.end()
        del buffer[:start]
        if len(buffer) > self._max:
            self._is_skipping = True
            del buffer[:-_LONGEST_PARTIAL_END]
        self._scanned = len(buffer)
        return events

    def flush(self) -> bytes:
        """Return the unfinished event at the end of the stream and forget it; often empty."""
        rest = b"" if self._is_skipping else bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        self._is_skipping = False
        return rest


def split_events(stream: bytes) -> list[bytes]:
    r"""Return the events of a whole stream; their concatenation is the stream.

    >>> split_events(b"data: 1\n\n: ping\n\ndata: 2\n\n")
    [b'data: 1\n\n', b': ping\n\n', b'data: 2\n\n']
    """
    reader = EventReader(max_event_bytes=len(stream))
    events = reader.feed(stream)
    rest = reader.flush()
    return [*events, rest] if rest else events


def data_of(event: bytes) -> bytes:
    r"""Return an event's data: its ``data`` lines joined by LF; empty for a comment.

    >>> data_of(b"event: x\ndata: {\ndata:  }\n\n")
    b'{\n }'
    """
    if event.startswith(b"data: {") and event.find(b"\n") == len(event) - 2:
        return event[6:-2]
    lines = _LINE_END.split(event.removeprefix(_BOM))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))


class StreamFilter:
    """Removes from an OpenAI chat stream the chunk that carries only the usage.

    The gateway asks for that chunk (``stream_options.include_usage``) where the caller did not. Everything else is
    forwarded byte for byte, with the ``"usage":null`` that OpenAI then puts into the other chunks: clients read it as
    absent, and taking it out would copy every chunk. At most one unfinished event that may still be the usage chunk
    is held back; an event longer than ``MAX_USAGE_EVENT_BYTES`` never is.
    """

    __slots__ = ("_held", "_passed")

    MAX_USAGE_EVENT_BYTES = 65_536

    def __init__(self) -> None:
        self._held = b""
        self._passed = b""
        """The last bytes of an event whose beginning is already forwarded; empty between events."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what of ``chunk``, and of what was held, is to be forwarded now; may be empty."""
        if not self._held and not self._passed and chunk[-2:] == b"\n\n" and USAGE_OBJECT.search(chunk) is None:
            return chunk
        if not self._passed:
            return self._sift(self._held + chunk)
        seen = self._passed + chunk
        end = _END.search(seen)
        if end is None:
            self._passed = seen[-_LONGEST_PARTIAL_END:]
            return chunk
        cut = end.end() - len(self._passed)
        self._passed = b""
        return chunk[:cut] + self._sift(chunk[cut:])

    def flush(self) -> bytes:
        """Return what is left at the end of the stream."""
        rest, self._held, self._passed = self._held, b"", b""
        return b"" if _is_only_usage(rest) else rest

    def _sift(self, pending: bytes) -> bytes:
        """Forward the whole events in ``pending``, which begins with one, and the rest unless it may be the usage."""
        kept: list[bytes] = []
        start = 0
        for end in _END.finditer(pending):
            event = pending[start : end.end()]
            if not _is_only_usage(event):
                kept.append(event)
            start = end.end()
        rest = pending[start:]
        if len(rest) > self.MAX_USAGE_EVENT_BYTES or _HAS_CHOICES.search(rest):
            kept.append(rest)
            self._passed, self._held = rest[-_LONGEST_PARTIAL_END:], b""
        else:
            self._held = rest
        return b"".join(kept)


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: dict[str, msgspec.Raw] | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def _is_only_usage(event: bytes) -> bool:
    """Say whether the event is a chunk with usage and an empty list of choices."""
    if len(event) > StreamFilter.MAX_USAGE_EVENT_BYTES or _HAS_CHOICES.search(event) or b'"usage"' not in event:
        return False
    try:
        chunk = _CHUNK.decode(data_of(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return chunk.choices == [] and chunk.usage is not None
