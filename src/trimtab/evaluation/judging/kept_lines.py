"""Files of JSON Lines that only grow: what was written stays, and a line counts once it is on the disk."""

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from trimtab.core.errors import ConfigurationError

Kind = TypeVar("Kind", bound=msgspec.Struct)


def append_line(path: Path, record: msgspec.Struct) -> None:
    """Add one record and return once the disk has it. Folders are made; nothing that is there is changed.

    Raises:
        OSError: the file cannot be written.
    """
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    line = msgspec.json.encode(record, order="sorted") + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # A line without an end, written by hand or cut by a power failure, must not swallow the next one.
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = os.write(descriptor, line)
        if written != len(line):
            raise OSError(f"{path}: the disk took {written} of {len(line)} bytes")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        _keep_name(path.parent)


def read_lines(path: Path, kind: type[Kind], *, what: str) -> list[Kind]:
    """Return the records of a file, oldest first; of a file that is not there, none.

    Raises:
        ConfigurationError: the file cannot be read, or a line is no such record; file and line are named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{what} {path} cannot be read: {exc}.", hint="Is it JSON Lines in UTF-8?") from exc
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return [_record(line, kind, f"{path}:{number}", what) for number, line in lines]


def _record(line: str, kind: type[Kind], place: str, what: str) -> Kind:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError as exc:
        raise ConfigurationError(
            f"{what} cannot be used: {exc} ({place}).", hint="Correct the line or remove it."
        ) from exc


def _keep_name(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
