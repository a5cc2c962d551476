"""Forgetting on schedule: calls older than `journal.retention_days` go, an hour at the latest after their time."""

import asyncio
import logging

from trimtab.core import US_PER_DAY, Clock, SystemClock
from trimtab.core.errors import StoreError
from trimtab.store import Database, prune
from trimtab.wiring.settings import Settings

log = logging.getLogger("trimtab.wiring")

EVERY_S = 3600.0


async def retain_forever(settings: Settings, database: Database, clock: Clock | None = None) -> None:
    """Remove what is too old now and every hour, until cancelled; with no retention set, return at once."""
    days = settings.journal.retention_days
    if days is None:
        return
    now_us = (clock or SystemClock()).now_us
    while True:
        try:
            n_removed = await asyncio.to_thread(prune, database, older_than_us=now_us() - days * US_PER_DAY)
        except StoreError as exc:
            log.warning("old calls stay for another hour: %s", exc.message)
        else:
            if n_removed:
                log.info("removed %d calls older than %d days", n_removed, days)
        await asyncio.sleep(EVERY_S)
