"""What every command knows of its surroundings: which configuration, which database."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trimtab.cli.output import note

if TYPE_CHECKING:
    from trimtab.control import Desk
    from trimtab.store import Database
    from trimtab.wiring import Settings

DEFAULT_CONFIG = Path("trimtab.yaml")


@dataclass(frozen=True, slots=True)
class Invocation:
    """The options that stand before or after any noun."""

    config: Path | None = None
    database: str | None = None

    @property
    def config_path(self) -> Path | None:
        """The configuration: the flag, else ``TRIMTAB_CONFIG``, else ``./trimtab.yaml`` where there is one."""
        if self.config is not None:
            return self.config
        named = os.environ.get("TRIMTAB_CONFIG")
        if named:
            return Path(named)
        return DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None

    def settings(self, overrides: Mapping[str, object] | None = None) -> "Settings":
        """Return the settings, the given flags on top.

        Args:
            overrides: Dotted setting names to values; ``None`` values are flags that were not given.

        Raises:
            ConfigurationError: the file, the environment or a flag cannot be used.
        """
        from trimtab.wiring import load_settings

        flags = {"database": self.database_url() if self.database else None, **(overrides or {})}
        return load_settings(self.config_path, overrides=flags)

    def database_url(self) -> str:
        """Return the database to open; a plain path means a SQLite file.

        Raises:
            ConfigurationError: the configuration that should name it cannot be used.
        """
        if self.database is None:
            return self.settings().database_url
        return self.database if "://" in self.database else f"sqlite:///{Path(self.database).absolute()}"

    def open_database(self) -> "Database":
        """Open the database, made and brought up to date where needed.

        Raises:
            ConfigurationError: the configuration that should name it cannot be used.
            StoreError: it cannot be opened.
        """
        from trimtab.store import open_database

        if self.database is None:
            self._say_what_is_made(self.settings())
        return open_database(self.database_url())

    @contextmanager
    def open_desk(self) -> "Iterator[Desk]":
        """Give the operators' desk over the configuration.

        Raises:
            ConfigurationError: the configuration cannot be used.
            StoreError: the database cannot be opened.
        """
        from trimtab.wiring import open_desk

        settings = self.settings()
        self._say_what_is_made(settings)
        with open_desk(settings) as desk:
            yield desk

    def _say_what_is_made(self, settings: "Settings") -> None:
        """Tell a person who is in the wrong folder, before an empty journal puzzles them."""
        if self.config_path is None and self.database is None and not settings.data_dir.exists():
            note(f"No trimtab.yaml here, so {settings.data_dir} is made in this folder; --config names another place.")


def invocation_of(context: typer.Context) -> Invocation:
    """Return what the root command read for the running one."""
    found = context.find_object(Invocation)
    return found if found is not None else Invocation()
