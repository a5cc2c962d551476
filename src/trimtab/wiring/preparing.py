"""What must be so before the first call: the data directory, the tables, an operator's key and a policy."""

import logging
from pathlib import Path

from trimtab.control import Desk, actor_of
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError, PolicyInvalid
from trimtab.store import Database, open_database
from trimtab.wiring.desk import build_desk
from trimtab.wiring.keys import key_store
from trimtab.wiring.settings import Settings

log = logging.getLogger("trimtab.wiring")


def prepare(settings: Settings) -> None:
    """Make everything ready that a call needs.

    Raises:
        ConfigurationError: the data directory or the models cannot be used.
        PolicyInvalid: the policy file is wrong and no earlier policy is in force.
        StoreError: the database cannot be opened.
    """
    _make_data_dir(settings.data_dir)
    database = open_database(settings.database_url)
    try:
        desk = build_desk(settings, database)
        if settings.policy_file is not None:
            _put_in_force(desk, settings.policy_file)
    finally:
        database.close()


def first_admin_secret(settings: Settings, database: Database) -> str | None:
    """Make an operator's key where there is none; return its secret, which nobody can read again.

    Not before the service runs: a start that fails shows no secret, and the next one would find the key made.
    """
    keys = key_store(settings, database, SystemClock())
    if keys.has_admin():
        return None
    return keys.create(name="admin", app="admin", scopes=("admin",), actor="first start")[1]


def _make_data_dir(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise ConfigurationError(
            f"The data directory {folder} cannot be made: {exc.strerror}.", hint="Choose another with `data_dir`."
        ) from exc


def _put_in_force(desk: Desk, path: Path) -> None:
    """Apply the policy file if it changed; when it cannot be used, the policy that was in force before goes on.

    An unchanged file is not applied again: somebody may have rolled it back since, and a restart must not undo that.
    """
    actor = actor_of(path)
    try:
        text = path.read_text()
        if not desk.policies.has_applied(text, actor=actor):
            desk.policies.apply(text, origin=path.name, actor=actor)
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        if desk.policies.current() is None:
            raise ConfigurationError(
                f"The policy file {path} cannot be read: {reason}.", hint="`trimtab init` writes one."
            ) from exc
        log.error("the policy file %s cannot be read: %s; the policy last applied serves", path, reason)
    except PolicyInvalid as exc:
        if desk.policies.current() is None:
            raise
        log.error("the policy file was refused, and the policy last applied serves: %s", exc.message)
