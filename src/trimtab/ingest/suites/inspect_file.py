"""Inspect AI log files: one JSON document, or ``.eval``, a ZIP archive with a header and one JSON document a sample.

Their schema is documented at https://inspect.aisi.org.uk/eval-logs.html; nothing of Inspect is needed to read them.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard

from trimtab.core.errors import ConfigurationError
from trimtab.ingest.files import MAX_ROW_BYTES

MAX_VERSION = 2
"""Of the logs' schema. Version 3 cuts samples into chunks."""
_HEADERS = ("header.json", "_journal/start.json", "start.json")
"""Where an archive has its header: finished; still being written; by versions before October 2024."""
_ZSTANDARD = 93
"""ZIP's number for zstd, which Python's own reader knows from 3.14 on."""
_READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
)
_Document = dict[str, Any]  # Any: JSON of another tool


class InspectLog(NamedTuple):
    """One log file, its samples not read yet."""

    header: Mapping[str, Any]  # Any: JSON of another tool
    samples: Iterator[Any]
    """Each as it is in the log, in the log's order; what is no JSON comes as a ``ValueError``."""


@contextmanager
def open_inspect_log(path: Path) -> Iterator[InspectLog]:
    """Open a log.

    Raises:
        ConfigurationError: the file cannot be read, is no log of Inspect's, or one of a later version.
    """
    with ExitStack() as opened:
        try:
            log = _opened(path, opened)
        except _READ_ERRORS as exc:
            raise ConfigurationError(
                f"{path} cannot be read as a log of Inspect: {exc}.",
                hint="Give a file that Inspect wrote: .eval, or .json.",
            ) from exc
        yield log


def _opened(path: Path, opened: ExitStack) -> InspectLog:
    if zipfile.is_zipfile(path):
        archive = opened.enter_context(zipfile.ZipFile(path))
        return InspectLog(_checked(path, _header(archive)), _members(archive))
    document = _checked(path, _parsed(path.read_bytes()))
    return InspectLog(document, iter(document.get("samples") or ()))


def _checked(path: Path, document: object) -> _Document:
    if not isinstance(document, dict) or not isinstance(document.get("eval"), dict):
        raise ConfigurationError(
            f"{path} is no log of Inspect: it has no `eval` in its header.", hint="Give a .eval or .json file of its."
        )
    version = document.get("version", 1)
    if not isinstance(version, int) or version > MAX_VERSION:
        raise ConfigurationError(
            f"{path} has version {version} of Inspect's format; up to {MAX_VERSION} is read.",
            hint="`inspect log convert --to json` writes one that is.",
        )
    return document


def _header(archive: zipfile.ZipFile) -> object:
    names = set(archive.namelist())
    name = next((name for name in _HEADERS if name in names), None)
    if name is None:
        raise ValueError("the archive has no header.json")
    return _parsed(_content(archive, archive.getinfo(name)))


def _members(archive: zipfile.ZipFile) -> Iterator[Any]:
    for member in archive.infolist():
        if member.filename.startswith("samples/") and member.filename.endswith(".json"):
            try:
                yield _parsed(_content(archive, member))
            except _READ_ERRORS as exc:
                yield ValueError(f"{member.filename} in the archive cannot be read: {exc}")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_ROW_BYTES:
        raise ValueError(f"{member.filename} has {member.file_size:,} bytes; up to {MAX_ROW_BYTES:,} are read")
    if member.compress_type != _ZSTANDARD:
        return archive.read(member)
    plain = zstandard.ZstdDecompressor().stream_reader(_stored(archive, member), read_across_frames=True)
    content = plain.read(member.file_size + 1)
    if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
        raise ValueError(f"{member.filename} is damaged")
    return content


def _stored(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes as they are in the archive, still compressed."""
    local = archive.fp
    if local is None:
        raise ValueError("the archive is closed")
    local.seek(member.header_offset)
    head = local.read(30)
    local.seek(
        member.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    )
    return local.read(member.compress_size)


def _parsed(content: bytes) -> Any:  # Any: JSON of another tool
    """Read JSON. Scores that nobody could give are written as ``NaN``, which strict JSON does not have."""
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return json.loads(content)
