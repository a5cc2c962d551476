"""From settings to working objects; the only room that picks implementations."""

from trimtab.wiring.desk import build_desk, open_desk
from trimtab.wiring.pool import build_providers, pool_of, price_book_of
from trimtab.wiring.preparing import prepare
from trimtab.wiring.retaining import retain_forever
from trimtab.wiring.settings import Settings, load_settings
from trimtab.wiring.worker import Worker, build_worker

__all__ = [
    "Settings",
    "Worker",
    "build_desk",
    "build_providers",
    "build_worker",
    "load_settings",
    "open_desk",
    "pool_of",
    "prepare",
    "price_book_of",
    "retain_forever",
]
