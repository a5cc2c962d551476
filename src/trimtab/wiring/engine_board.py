"""Where the local engines answer and how they are: written by the process that runs them, read by every worker."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from trimtab.core.errors import ConfigurationError


class EngineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One engine, as the workers need it."""

    base_url: str
    has_key: bool
    """Whether ``engine-NAME.key`` beside the board holds a key for it."""
    api_key_env: str | None = None
    """The environment's name for its key, where that holds it."""
    max_connections: int
    """Calls to send at a time, from all workers together."""
    slots: int | None = None
    """Calls to have it work on at a time, where the rest is to wait in the workers; ``None`` leaves that to it."""
    body_fields: dict[str, dict[str, object]]
    """By model: what every request to it must carry."""
    phase: str = "starting"
    reason: str = ""
    n_restarts: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether it answers."""
        return self.phase == "ready"


_Entries = dict[str, EngineEntry]
_DECODER = msgspec.json.Decoder(_Entries)


class EngineBoard:
    """A file, replaced as a whole, in a folder that only its owner may enter.

    Args:
        folder: ``run`` in the data directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "engines.json"
        self._seen: tuple[int, int] | None = None
        self.entries: Mapping[str, EngineEntry] = {}
        """What was last read or written."""

    def key_file(self, engine: str) -> Path:
        """Return the file that holds an engine's own key."""
        return self._folder / f"engine-{engine}.key"

    def write(self, entries: Mapping[str, EngineEntry]) -> None:
        """Replace the board."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(self._path, msgspec.json.encode(entries))
        self.entries = dict(entries)

    def write_key(self, engine: str, key: str) -> None:
        """Keep an engine's key where the workers find it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(self.key_file(engine), key.encode())

    def remove(self) -> None:
        """Take the board down with every key."""
        for engine in self.entries:
            self.key_file(engine).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self.entries = {}

    def refresh(self) -> bool:
        """Read it again if it changed; return whether it did. A board that is not there holds nothing.

        Raises:
            ConfigurationError: something else wrote it.
        """
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_ino)
            if seen == self._seen:
                return False
            self.entries = _DECODER.decode(self._path.read_bytes())
        except FileNotFoundError:
            seen, self.entries = None, {}
        except msgspec.MsgspecError as exc:
            raise ConfigurationError(f"{self._path} is not a board of engines: {exc}.", hint="Remove it.") from exc
        changed, self._seen = seen != self._seen, seen
        return changed


def _write_private(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
