"""Fixtures that several rooms share: a PostgreSQL server of the test run's own, and a fresh database for each test."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fixtures import mock_upstream as mock_upstream

# Whoever starts tests in the background may have signals ignored, and what a test interrupts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_BINARIES = ("initdb", "pg_ctl", "postgres")


def _missing_binaries() -> list[str]:
    return [name for name in _BINARIES if shutil.which(name) is None]


def _as_server_user(folder: Path, *command: str) -> None:
    """Run one of the server's tools; it refuses to run as root, so root steps down to user ``postgres``."""
    user: dict[str, str | int] = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        user = {"user": account.pw_uid, "group": account.pw_gid}
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        **user,  # type: ignore[call-overload]  # mypy does not match a splat against the overloads
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start a server on a Unix socket and return the URL of its ``postgres`` database."""
    missing = _missing_binaries()
    if missing:
        reason = f"no PostgreSQL here: {', '.join(missing)} not on the PATH"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not pytest's own folder: only root may enter that one, and a socket's path may have 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="tt-pg-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    cluster = str(folder / "data")
    try:
        _as_server_user(folder, "initdb", "-D", cluster, "-U", "trimtab", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -h '' -F -c max_connections=60 -c shared_buffers=32MB -c log_min_messages=fatal"
        _as_server_user(folder, "pg_ctl", "-D", cluster, "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            yield f"postgresql://trimtab@/postgres?host={folder}"
        finally:
            _as_server_user(folder, "pg_ctl", "-D", cluster, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Return the URL of a new, empty PostgreSQL database."""
    import psycopg

    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new, empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trimtab.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
