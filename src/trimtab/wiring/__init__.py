"""From settings to working objects; the only room that picks implementations."""

from trimtab.wiring.desk import build_desk, open_desk
from trimtab.wiring.engines import EngineRow, board_of, engine_rows, running_engines
from trimtab.wiring.pool import pool_of, price_book_of
from trimtab.wiring.preparing import first_admin_secret, prepare
from trimtab.wiring.probing import (
    ProbeTarget,
    estimate_nano_usd,
    find_target,
    keep_probe,
    measure_target,
    stored_probes,
)
from trimtab.wiring.retaining import retain_forever
from trimtab.wiring.settings import ENVIRONMENT, Settings, load_settings
from trimtab.wiring.variants import register_exported, register_ladder, registered_artifacts
from trimtab.wiring.worker import EVIDENCE_S, POLL_S, Worker, WorkerHealth, build_worker

__all__ = [
    "ENVIRONMENT",
    "EVIDENCE_S",
    "POLL_S",
    "EngineRow",
    "ProbeTarget",
    "Settings",
    "Worker",
    "WorkerHealth",
    "board_of",
    "build_desk",
    "build_worker",
    "engine_rows",
    "estimate_nano_usd",
    "find_target",
    "first_admin_secret",
    "keep_probe",
    "load_settings",
    "measure_target",
    "open_desk",
    "pool_of",
    "prepare",
    "price_book_of",
    "register_exported",
    "register_ladder",
    "registered_artifacts",
    "retain_forever",
    "running_engines",
    "stored_probes",
]
