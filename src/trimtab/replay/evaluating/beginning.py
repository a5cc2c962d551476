"""The beginning of a run: a new one, or one that was interrupted and goes on where it stood."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trimtab.core import Clock, new_call_id
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import RunPlan, Suite
from trimtab.store import EvaluationStore, StoredRun


def begin_run(store: EvaluationStore, suite: Suite, plan: RunPlan, clock: Clock, *, is_new: bool = False) -> StoredRun:
    """Return the run to fill: the unfinished one with this very plan, else a new one.

    Args:
        store: Where runs are.
        suite: What is asked.
        plan: By which settings.
        clock: Dates a new run.
        is_new: Begin again although an unfinished one is there.

    Raises:
        ConfigurationError: an unfinished run has the same settings over this suite with another content.
    """
    found = None if is_new else unfinished_run(store, plan)
    if found is not None:
        return found
    store.keep_suite(suite)
    run = StoredRun(
        run_id=new_run_id(),
        plan=plan,
        state="unfinished",
        n_expected=len(suite.cases) * plan.n_samples,
        started_at_us=clock.now_us(),
    )
    store.begin(run)
    return run


def unfinished_run(store: EvaluationStore, plan: RunPlan) -> StoredRun | None:
    """Return the run with this plan that was interrupted, if there is one.

    Raises:
        ConfigurationError: there is one with the same settings, over this suite with another content.
    """
    found = store.unfinished(plan)
    if found is not None and found.plan.suite_digest != plan.suite_digest:
        raise ConfigurationError(
            f"The suite {plan.suite_name!r} changed under the unfinished run {found.run_id}: its digest was "
            f"{found.plan.suite_digest}, now it is {plan.suite_digest}.",
            hint=f"`trimtab eval run --resume {found.run_id}` goes on with the suite of then; --new begins afresh.",
        )
    return found


def new_run_id() -> str:
    """Return ``run_`` and 26 characters; later ones sort later."""
    return "run_" + new_call_id().removeprefix("call_")


@contextmanager
def holding(folder: Path, run: StoredRun) -> Iterator[None]:
    """Hold a run, so that nobody else on this machine fills it too; a killed holder lets go.

    Args:
        folder: Of the locks; made when missing.
        run: Which one.

    Raises:
        ConfigurationError: somebody else holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{run.run_id}.lock"
    lock = _locked(path)
    if lock is None:
        raise ConfigurationError(
            f"Run {run.run_id} over {run.plan.model} is under way in another process.",
            hint="Wait for it, or begin another one with --new.",
        )
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: who opened it meanwhile sees that it is no longer the file
        os.close(lock)


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds the lock, or ``None`` when somebody else does."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if path.exists() and path.stat().st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)
