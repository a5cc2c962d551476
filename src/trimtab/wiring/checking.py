"""Does it hold together? Findings about a configuration (`trimtab check`) and its surroundings (`trimtab doctor`)."""

import importlib.util
import os
import shutil
import socket
import ssl
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from trimtab.core import SystemClock
from trimtab.core.errors import TrimtabError
from trimtab.policy import lint_policy, load_policy, run_policy_tests
from trimtab.providers import ProviderConfig, build_provider
from trimtab.serving import EngineConfig, check_files
from trimtab.store import open_database
from trimtab.wiring.detection import detect
from trimtab.wiring.pool import pool_of, price_book_of
from trimtab.wiring.probing import stored_probes
from trimtab.wiring.settings import Settings
from trimtab.wiring.variants import blocked_engine

CONNECT_TIMEOUT_S = 3.0
EXTRAS = {"cel": "cel", "parquet": "pyarrow", "postgres": "psycopg", "serving": "xllamacpp", "stats": "scipy"}
"""Optional parts, and the module that shows one is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at."""

    subject: str
    verdict: Literal["ok", "warning", "failed"]
    message: str
    hint: str = ""


def check(settings: Settings) -> Iterator[Finding]:
    """Try what the configuration says: models, prices, policy, and whether each provider can be reached.

    Nothing is sent to a model, so nothing is spent.
    """
    yield from _pool(settings)
    yield from _policy(settings)
    for provider in settings.providers:
        yield _provider(provider)
    for engine in settings.engines:
        yield _engine(settings, engine)


def diagnose(settings: Settings) -> Iterator[Finding]:
    """Look at the surroundings: Python, extras, data directory, database, ports, and what could serve here."""
    yield Finding(subject="python", verdict="ok", message=sys.version.split()[0])
    for extra, module in EXTRAS.items():
        is_there = importlib.util.find_spec(module) is not None
        message = "installed" if is_there else f"not installed; `pip install 'trimtab[{extra}]'` adds it"
        yield Finding(subject=f"extra {extra}", verdict="ok", message=message)
    yield _data_dir(settings.data_dir)
    yield _database(settings)
    for name, host, port in (
        ("data plane", settings.listen.host, settings.listen.port),
        ("control", settings.control.host, settings.control.port),
    ):
        yield _port(name, host, port)
    for found in detect(os.environ):
        models = ", ".join(found.models[:4])
        yield Finding(subject=f"found {found.name}", verdict="ok", message=f"{found.origin}: {models}")


def _pool(settings: Settings) -> Iterator[Finding]:
    try:
        pool, probes = pool_of(settings), stored_probes(settings)
    except TrimtabError as exc:
        yield _failed("models", exc)
        return
    if not len(pool):
        yield Finding(
            subject="models", verdict="failed", message="The pool is empty.", hint="Add `models:` to the configuration."
        )
        return
    yield Finding(subject="models", verdict="ok", message=f"{len(pool)} in the pool")
    prices, now_us = price_book_of(settings, probes), SystemClock().now_us()
    for card in pool:
        if prices.price_of(card, now_us) is None:
            yield Finding(
                subject=card.name,
                verdict="warning",
                message="has no price: its calls count as unpriced and no money cap can see them",
                hint=f"`trimtab models probe {card.name}` measures the speed that its price per hour needs."
                if prices.waits_for_probe(card)
                else "Give it `price:`, or `price_id:` when the price list knows it by another name.",
            )


def _policy(settings: Settings) -> Iterator[Finding]:
    path = settings.policy_file
    if path is None:
        yield Finding(subject="policy", verdict="ok", message="no file configured: the version last applied serves")
        return
    try:
        policy = load_policy(path.read_text(), origin=path.name)
        pool = pool_of(settings)
        findings = lint_policy(policy, pool, today=datetime.now(UTC).date())
        outcomes = run_policy_tests(policy, pool)
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        yield Finding(subject="policy", verdict="failed", message=f"{path} cannot be read: {reason}.")
        return
    except TrimtabError as exc:
        yield _failed("policy", exc)
        return
    for finding in findings:
        verdict: Literal["failed", "warning"] = "failed" if finding.is_error else "warning"
        yield Finding(subject=finding.where, verdict=verdict, message=finding.message, hint=finding.hint)
    for outcome in outcomes:
        if not outcome.passed:
            yield Finding(subject=outcome.where, verdict="failed", message=f"test {outcome.name!r}: {outcome.message}")
    if not any(f.is_error for f in findings) and all(o.passed for o in outcomes):
        tests = f"{len(outcomes)} test{'' if len(outcomes) == 1 else 's'} passed"
        yield Finding(subject="policy", verdict="ok", message=f"{policy.name} {policy.version[:12]}, {tests}")


def _provider(config: ProviderConfig) -> Finding:
    subject = f"provider {config.name}"
    try:
        build_provider(config)
    except TrimtabError as exc:
        return _failed(subject, exc)
    if config.api_key_env is not None and not os.environ.get(config.api_key_env):
        return Finding(
            subject=subject,
            verdict="failed",
            message=f"{config.api_key_env} is not set.",
            hint="Export the key in the environment that starts `trimtab serve`.",
        )
    if config.api_key_file is not None and not os.access(config.api_key_file, os.R_OK):
        return Finding(
            subject=subject,
            verdict="failed",
            message=f"the key file {config.api_key_file} cannot be read.",
            hint="It must be readable by the user that runs `trimtab serve`.",
        )
    if config.base_url is None:
        return Finding(subject=subject, verdict="ok", message="reads recorded outcomes")
    return _reach(subject, config.base_url)


def _engine(settings: Settings, config: EngineConfig) -> Finding:
    """Look at an engine's files or address; nothing is started."""
    subject = f"engine {config.name}"
    if config.base_url is not None:
        return _reach(subject, config.base_url)
    try:
        message = check_files(config)
        blocked = blocked_engine(settings, config) if settings.data_dir.exists() else None
    except TrimtabError as exc:
        return _failed(subject, exc)
    if blocked is not None:
        return Finding(subject=subject, verdict="failed", message=blocked, hint="Serve its parent, or judge it again.")
    return Finding(subject=subject, verdict="ok", message=message)


def _reach(subject: str, base_url: str) -> Finding:
    """Open a connection, with TLS where the URL says so, and close it again."""
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S) as connection:
            if parts.scheme == "https":
                with ssl.create_default_context().wrap_socket(connection, server_hostname=host):
                    pass
    except OSError as exc:
        return Finding(
            subject=subject,
            verdict="failed",
            message=f"{host}:{port} cannot be reached: {exc.strerror or exc}.",
            hint="Is the server running, and the URL right? Failovers go on without it.",
        )
    return Finding(subject=subject, verdict="ok", message=f"{host}:{port} accepts connections")


def _data_dir(folder: Path) -> Finding:
    if not folder.exists():
        above = next(each for each in folder.absolute().parents if each.exists())
        if not (above.is_dir() and os.access(above, os.W_OK)):
            return Finding(
                subject="data directory",
                verdict="failed",
                message=f"{folder} cannot be made: {above} is not a folder that may be written.",
                hint="Choose another with `data_dir`.",
            )
        return Finding(subject="data directory", verdict="ok", message=f"{folder} will be made at the first start")
    if not os.access(folder, os.W_OK):
        return Finding(subject="data directory", verdict="failed", message=f"{folder} is not writable.")
    free = shutil.disk_usage(folder).free
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return Finding(
            subject="data directory",
            verdict="warning",
            message=f"{folder} can be read by other users of this machine",
            hint=f"chmod 700 {folder}",
        )
    if free < 1 << 30:
        return Finding(
            subject="data directory", verdict="warning", message=f"only {free >> 20} MiB are free on its disk"
        )
    return Finding(subject="data directory", verdict="ok", message=f"{folder}, {free >> 30} GiB free")


def _database(settings: Settings) -> Finding:
    url = settings.database_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return Finding(subject="database", verdict="ok", message="will be made at the first start")
    try:
        database = open_database(url)
        database.close()
    except TrimtabError as exc:
        return _failed("database", exc)
    return Finding(subject="database", verdict="ok", message="opens, and its schema is current")


def _port(name: str, host: str, port: int) -> Finding:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return Finding(
                subject=name, verdict="ok", message=f"something answers on {host}:{port}, perhaps this service"
            )
    except OSError:
        return Finding(subject=name, verdict="ok", message=f"{host}:{port} is free")


def _failed(subject: str, exc: TrimtabError) -> Finding:
    return Finding(subject=subject, verdict="failed", message=exc.message, hint=exc.hint or "")
