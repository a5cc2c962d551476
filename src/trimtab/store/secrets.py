"""The server's own secrets: random bytes in files that only their owner may read, made once."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from trimtab.core.errors import StoreError

SECRET_BYTES = 32


class Secrets:
    """The secrets of one data directory. Several processes that ask for one at once get the same bytes.

    Args:
        folder: Made with mode 0700 when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def pepper(self) -> bytes:
        """Key of the hashes of API keys: without it a stolen table of hashes is useless."""
        return self._secret("pepper")

    @property
    def audit_key(self) -> bytes:
        """Key of the audit chain: who can write to the database alone cannot forge a record."""
        return self._secret("audit_key")

    def _secret(self, name: str) -> bytes:
        """Return the secret, made when it is asked for the first time.

        Raises:
            StoreError: the folder cannot be used, or the file has not the right length.
        """
        path = self._folder / name
        try:
            if not path.exists():
                self._make(path)
            content = path.read_bytes()
        except OSError as exc:
            raise StoreError(
                f"The secret {path} cannot be used: {exc.strerror}.", hint="Check the data directory and who owns it."
            ) from exc
        if len(content) != SECRET_BYTES:
            raise StoreError(
                f"The secret {path} has {len(content)} bytes, not {SECRET_BYTES}.",
                hint="Restore it from a backup; a new one makes every API key and the audit log invalid.",
            )
        return content

    def _make(self, path: Path) -> None:
        """Write the file whole under another name, then give it its name unless somebody was faster."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f".{path.name}.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
