"""The two halves of an OpenAI batch: requests in one file, answers in another in any order, joined by ``custom_id``."""

import hashlib
import tempfile
from pathlib import Path
from typing import IO

import msgspec

from trimtab.ingest.fields import EXACT_JSON, FieldError, Fields
from trimtab.ingest.files import RawRow, read_rows

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class BatchRequests:
    """Finds the request of an answer.

    The requests lie in a temporary file that has no name, and memory holds one offset for each: a batch of 50,000
    requests (OpenAI's limit) needs about 8 MB, however long the prompts are.
    """

    def __init__(self, spool: IO[bytes] | None, offsets: dict[bytes, int]) -> None:
        self._spool = spool
        self._offsets = offsets

    @classmethod
    def of(cls, path: Path | None) -> "BatchRequests":
        """Read the input file of a batch; ``None`` finds nothing.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        if path is None:
            return cls(None, {})
        spool = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        offsets: dict[bytes, int] = {}
        for row in read_rows(path):
            custom_id = row.row.get("custom_id") if isinstance(row, RawRow) else None
            if isinstance(row, RawRow) and isinstance(custom_id, str):
                offsets[_key(custom_id)] = spool.tell()
                spool.write(_ENCODER.encode(row.row) + b"\n")
        return cls(spool, offsets)

    def close(self) -> None:
        """Give the temporary file back."""
        if self._spool is not None:
            self._spool.close()

    def find(self, answer: Fields) -> Fields:
        """Return the input line of an output line; no fields when it is not known.

        Raises:
            FieldError: the line is a request itself, or the input file was given and lacks this request.
        """
        if "response" not in answer.row and "error" not in answer.row:
            raise FieldError("a batch request without its answer; give the output file, and this one as --requests")
        if self._spool is None:
            return Fields({})
        custom_id = answer.required_name("custom_id")
        offset = self._offsets.get(_key(custom_id))
        if offset is None:
            raise FieldError(f"no request with custom_id {custom_id!r} in the file of requests")
        self._spool.seek(offset)
        return Fields(EXACT_JSON.decode(self._spool.readline()))


def _key(custom_id: str) -> bytes:
    return hashlib.blake2b(custom_id.encode(), digest_size=12).digest()
