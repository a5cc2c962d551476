"""Running it: one process with both listeners, or a parent with the control listener and N data-plane workers.

The parent owns the listening socket, so a worker that dies loses only its own calls: the others go on accepting
and the parent starts another.
"""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
import uvloop
from prometheus_client.multiprocess import mark_process_dead

from trimtab.control import Desk
from trimtab.core.errors import ConfigurationError
from trimtab.gateway import SHARED_FOLDER
from trimtab.server.http import uvicorn_options
from trimtab.server.v1 import DataPlane
from trimtab.store import Database, open_database
from trimtab.wiring import (
    Settings,
    Worker,
    build_desk,
    build_worker,
    first_admin_secret,
    prepare,
    retain_forever,
    running_engines,
)

log = logging.getLogger("trimtab.server")

RESTART_BACKOFF_S = (0.1, 0.5, 2.0, 10.0, 30.0)
"""Wait before a worker that keeps dying is started again; the last one repeats."""
STABLE_S = 60.0
"""A worker that lived this long counts as healthy, and the back-off starts over."""
BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a running service answers."""

    url: str
    control_url: str
    admin_secret: str | None
    """Only at the first start: the secret of the control API, shown once and kept nowhere in clear."""


Announce = Callable[[Addresses], None]


def serve(settings: Settings, config: Path | None, database: str | None, announce: Announce) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code.

    Args:
        settings: Checked settings.
        config: The file they came from, for workers to read again.
        database: The database flag, if one was given, for workers likewise.
        announce: Told the addresses once calls are accepted.

    Raises:
        ConfigurationError: an address is taken or not ours, or the data directory cannot be used.
    """
    configure_logging(settings.log_level)
    _allow_many_connections()
    with (
        _listening(settings.listen.host, settings.listen.port) as data,
        _listening(settings.control.host, settings.control.port) as control,
    ):
        prepare(settings)

        def ready(opened: Database) -> None:
            announce(Addresses(_url(data), _url(control), first_admin_secret(settings, opened)))

        if settings.workers == 1:
            return uvloop.run(_serve_alone(settings, data, control, ready))
        command = _worker_command(settings, config, database)
        return uvloop.run(_supervise(settings, command, data, control, ready))


def serve_worker(settings: Settings, listener_fd: int) -> int:
    """Be one data-plane worker on an inherited socket, until told to stop or the parent is gone."""
    configure_logging(settings.log_level)
    end_with_stdin()
    with socket.socket(fileno=listener_fd) as data:
        return uvloop.run(_serve_worker(settings, data))


def end_with_stdin() -> None:
    """Stop when standard input ends: whoever holds its other end is gone, however it went."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        log.error("the process that started this one is gone; stopping")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="end-with-stdin", daemon=True).start()


def _allow_many_connections() -> None:
    """Raise the limit on open files as far as this user may: each stream takes two, and 1,024 is a common default."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says "unlimited" and then refuses that
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _settle_garbage() -> None:
    """Take what was loaded at start out of the collector's sight and let it run less often.

    A call makes some hundred objects and hardly a cycle; looking through all of them every 700 allocations, as Python
    does by default, costs 4 % of the processor time of a call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def configure_logging(level: str) -> None:
    """Send log lines to stderr, one line each."""
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    for noisy in ("uvicorn.error", "alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


async def _serve_alone(
    settings: Settings, data: socket.socket, control: socket.socket, ready: Callable[[Database], None]
) -> int:
    """Be worker and control listener at once."""
    stop = _stop_on_signals()
    async with contextlib.AsyncExitStack() as stack:
        await _start_engines(settings, stack)
        worker = build_worker(settings, name=_worker_name())
        plane = _server(data_plane(worker))
        stack.callback(worker.close)
        stack.push_async_callback(worker.stop)
        worker.start()
        serving = asyncio.create_task(plane.serve(sockets=[data]))
        while not plane.started and not serving.done():
            await asyncio.sleep(0.001)
        _settle_garbage()
        ready(worker.database)
        desk = build_desk(settings, worker.database)
        # The control listener's framework takes 0.3 s to import; calls are served meanwhile.
        control_server = await _control_server(settings, desk)
        controlling = asyncio.create_task(control_server.serve(sockets=[control]))
        async with _beside(desk.watch_policy_file(), retain_forever(settings, worker.database)):
            await _first(stop.wait(), serving, controlling)
            worker.health.is_stopping = plane.should_exit = control_server.should_exit = True
            await asyncio.gather(serving, controlling)
    return 0


async def _start_engines(settings: Settings, stack: contextlib.AsyncExitStack) -> None:
    """Begin to run the local engines, on a connection to the database of their own: they outlive the worker's."""
    if settings.engines:
        database = open_database(settings.database_url)
        stack.callback(database.close)
        await stack.enter_async_context(running_engines(settings, database))


async def _serve_worker(settings: Settings, data: socket.socket) -> int:
    worker = build_worker(settings, name=_worker_name())
    stop = _stop_on_signals()
    plane = _server(data_plane(worker))
    worker.start()
    try:
        serving = asyncio.create_task(plane.serve(sockets=[data]))
        _settle_garbage()
        await _first(stop.wait(), serving)
        worker.health.is_stopping = plane.should_exit = True
        await serving
    finally:
        await worker.stop()
        worker.close()
    return 0


async def _supervise(
    settings: Settings,
    command: Sequence[str],
    data: socket.socket,
    control: socket.socket,
    ready: Callable[[Database], None],
) -> int:
    """Be the control listener, and keep the workers alive."""
    stop = _stop_on_signals()
    async with contextlib.AsyncExitStack() as stack:
        database = open_database(settings.database_url)
        stack.callback(database.close)
        desk = build_desk(settings, database)
        await stack.enter_async_context(running_engines(settings, database))
        metrics = stack.enter_context(_metrics_folder(settings.data_dir))
        keepers = [asyncio.create_task(_keep_alive(index, data, command, metrics)) for index in range(settings.workers)]
        control_server = await _control_server(settings, desk)
        controlling = asyncio.create_task(control_server.serve(sockets=[control]))
        ready(database)  # the socket takes calls; they wait in its queue until the first worker is up
        async with _beside(desk.watch_policy_file(), retain_forever(settings, database)):
            await _first(stop.wait(), controlling, *keepers)
            for task in keepers:
                task.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            control_server.should_exit = True
            await controlling
    return 0


@contextlib.asynccontextmanager
async def _beside(*running: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run coroutines beside the block, and cancel them at its end."""
    tasks = [asyncio.create_task(each) for each in running]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: "asyncio.Task[None]") -> None:
    """Say at once that background work has failed, not when the service ends."""
    if not task.cancelled() and task.exception() is not None:
        log.error("background work ended early", exc_info=task.exception())


def _worker_name() -> str:
    """Return a name nobody had before: a restarted container has the host name and process id of its dead self."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def _metrics_folder(data_dir: Path) -> Iterator[Path]:
    """Give a new folder in which the workers keep their counts together."""
    (data_dir / "run").mkdir(exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="metrics-", dir=data_dir / "run") as name:
        yield Path(name)


async def _keep_alive(index: int, data: socket.socket, command: Sequence[str], metrics: Path) -> None:
    """Run worker ``index``, starting it again whenever it ends; on cancellation, stop it gently."""
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started_s = loop.time()
        child = await asyncio.create_subprocess_exec(
            *command,
            f"--listener-fd={data.fileno()}",
            pass_fds=(data.fileno(),),
            env={**os.environ, SHARED_FOLDER: str(metrics)},
            stdin=subprocess.PIPE,  # ends with this process, which tells the worker even after a kill -9
        )
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            child.send_signal(signal.SIGTERM)
            await child.wait()
            raise
        mark_process_dead(child.pid, str(metrics))  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
        failures = 0 if loop.time() - started_s > STABLE_S else failures + 1
        wait_s = RESTART_BACKOFF_S[min(failures, len(RESTART_BACKOFF_S) - 1)]
        log.error("worker %d ended with code %s; another starts in %.1f s", index, code, wait_s)
        await asyncio.sleep(wait_s)


def _worker_command(settings: Settings, config: Path | None, database: str | None) -> Sequence[str]:
    flags = {"--config": config, "--database": database}
    given = [f"{flag}={value}" for flag, value in flags.items() if value is not None]
    return [sys.executable, "-m", "trimtab", *given, "serve", f"--workers={settings.workers}"]


def data_plane(worker: Worker) -> DataPlane:
    """Return the ASGI application of a worker."""
    limits = worker.settings.limits
    return DataPlane(
        worker.gateway,
        feedback=worker.feedback,
        health=worker.health,
        clock=worker.clock,
        max_body_bytes=limits.max_body_bytes,
        body_timeout_s=limits.body_timeout_s,
    )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: two servers share this process and one handler stops both."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: DataPlane) -> uvicorn.Server:
    return _Server(uvicorn.Config(app, **uvicorn_options()))


async def _control_server(settings: Settings, desk: Desk) -> uvicorn.Server:
    def build() -> uvicorn.Server:
        from trimtab.server.control import build_control_app

        app = build_control_app(desk, allowed_hosts=settings.control.allowed_hosts)
        return _Server(uvicorn.Config(app, **uvicorn_options()))

    return await asyncio.to_thread(build)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _first(*waiting: Awaitable[object]) -> None:
    """Wait for the first of them to end."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Open a listening TCP socket."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {exc.strerror or exc}.",
            hint="Another process may hold the port: choose one with --port, or `listen.port` in the configuration.",
        ) from exc
    with listener:
        # Small frames must not wait for the peer's acknowledgement: a streamed token is a small frame.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.set_inheritable(True)
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
