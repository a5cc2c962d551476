"""Append-only files that hold calls until the database has them.

A worker's spool is a chain of segments. Each record is its length, the CRC-32 of its bytes and the bytes; reading
stops at the first record that is not whole, so a torn tail costs that record and nothing before it. The operating
system has a record as soon as ``append`` returns: it outlives a killed process, and with ``fsync`` the machine.

A spool belongs to whoever holds the lock on its ``.lock`` file. The system lets go of that lock when a process dies
however it dies, which is how leftovers are found.
"""

import fcntl
import os
import re
import secrets
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trimtab.core import JournalEntry
from trimtab.core.errors import StoreError

_HEAD = struct.Struct("<II")
_SUFFIX = ".spool"
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(JournalEntry)


class Segment:
    """One file of records, open for appending.

    Args:
        path: A file that does not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_records = 0
        self.n_bytes = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._is_torn = False

    def append(self, *entries: JournalEntry) -> int:
        """Write records, all of them or none, and return their size in bytes.

        Raises:
            OSError: they could not be written whole; what was there before still can be read.
        """
        if self._is_torn:
            raise OSError(5, "the segment ends in a torn record")
        records = b"".join(map(_record_of, entries))
        try:
            n_written = os.write(self._file, records)
        except OSError:
            self._cut()
            raise
        if n_written != len(records):
            self._cut()
            raise OSError(28, "no room for the records")
        self.n_bytes += n_written
        self.n_records += len(entries)
        return n_written

    def sync(self) -> None:
        """Wait until the disk has it."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file; it stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _cut(self) -> None:
        """Remove a part of a record, so that the ones after it can be read."""
        try:
            os.ftruncate(self._file, self.n_bytes)
        except OSError:
            self._is_torn = True


def _record_of(entry: JournalEntry) -> bytes:
    body = _encoder.encode(entry)
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def read_segment(path: Path, *, skip: int = 0) -> Iterator[JournalEntry]:
    """Yield a segment's entries from record ``skip`` on, up to its end or its first damaged record."""
    with path.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, crc = _HEAD.unpack(head)
            body = file.read(length)
            if len(body) != length or zlib.crc32(body) != crc:
                return
            if skip > 0:
                skip -= 1
                continue
            try:
                yield _decoder.decode(body)
            except msgspec.DecodeError:
                return


@dataclass(frozen=True, slots=True)
class Leftover:
    """The spool of a process that ended without booking all of it; locked for us until ``remove``."""

    owner: str
    lock: int
    lock_path: Path
    segments: tuple[tuple[int, Path], ...]
    """Number and file, in order."""

    @property
    def worker(self) -> str:
        """The name under which the dead process held leases."""
        return self.owner.rpartition("~")[0]

    def remove(self) -> None:
        """Delete the files that are left, and let go."""
        for _, path in self.segments:
            path.unlink(missing_ok=True)
        self.lock_path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go and leave the files for another time."""
        os.close(self.lock)


class Spool:
    """One worker's chain of segments in a folder shared by all workers of a machine.

    Args:
        folder: Made with mode 0700 when it is not there.
        worker: This worker's name.

    Raises:
        StoreError: the folder cannot be used.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        # A restarted worker may have the name, and even the process id, of a dead one; its spool is another one.
        self.owner = f"{re.sub(r'[^A-Za-z0-9_.-]', '-', worker)}~{secrets.token_hex(4)}"
        self._folder = folder
        self._next = 1
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_path = folder / f"{self.owner}.lock"
            # Locked before it has its name: nobody can take us for dead in between.
            unnamed = folder / f"{self.owner}.new"
            self._lock = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            unnamed.rename(self._lock_path)
        except OSError as exc:
            raise StoreError(
                f"The spool folder {folder} cannot be used: {exc.strerror}.", hint="Check its owner and the disk."
            ) from exc

    def open_segment(self) -> tuple[int, Segment]:
        """Return a new segment with its number, counted from 1.

        Raises:
            OSError: the file cannot be made.
        """
        number = self._next
        segment = Segment(self._folder / f"{self.owner}.{number:08d}{_SUFFIX}")
        self._next += 1
        return number, segment

    def leftovers(self) -> Iterator[Leftover]:
        """Yield the spools of dead processes, each locked for the caller."""
        for lock_path in sorted(self._folder.glob("*.lock")):
            if lock_path == self._lock_path:
                continue
            with suppress(FileNotFoundError):
                lock = os.open(lock_path, os.O_RDWR)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(lock)
                    continue
                yield Leftover(lock_path.stem, lock, lock_path, self._segments_of(lock_path.stem))

    def close(self) -> None:
        """Let go. Without segments the lock file goes too; otherwise they are leftovers for the next one."""
        if not self._segments_of(self.owner):
            self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)

    def _segments_of(self, owner: str) -> tuple[tuple[int, Path], ...]:
        paths = sorted(p for p in self._folder.iterdir() if p.name.startswith(f"{owner}.") and p.suffix == _SUFFIX)
        return tuple((int(path.name.split(".")[-2]), path) for path in paths)
