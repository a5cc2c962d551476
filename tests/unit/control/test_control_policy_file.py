"""The watched policy file."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.control_rig import NO_SMALL, POLICY, Rig, open_rig

from trimtab.control.policy_file import MAX_BYTES, PolicyFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


@pytest.fixture
def watched(tmp_path: Path, path: Path) -> Iterator[Rig]:
    rig = open_rig(tmp_path, policy_file=path)
    yield rig
    rig.database.close()


def name_in_force(rig: Rig) -> str | None:
    current = rig.desk.policies.current()
    return None if current is None else current.name


async def until(rig: Rig, name: str | None, refused: str | None = None) -> None:
    async with asyncio.timeout(10):
        while name_in_force(rig) != name or (refused or "") not in (rig.desk.refused() or ""):
            await asyncio.sleep(0.02)


async def test_promise_5_a_changed_file_is_in_force_and_a_bad_one_is_refused_with_line_and_reason(
    watched: Rig, path: Path
) -> None:
    path.write_text(POLICY)
    watching = asyncio.create_task(watched.desk.watch_policy_file())
    try:
        await until(watched, "first")
        path.write_text(NO_SMALL)
        await until(watched, "second")
        assert watched.desk.refused() is None

        path.write_text("policy: third\norganisation: {sensitivty: public}\n")
        await until(watched, "second", "policy.yaml:2: unknown key 'sensitivty'")

        path.write_text(NO_SMALL)
        await until(watched, "second")
        async with asyncio.timeout(10):
            while watched.desk.refused() is not None:
                await asyncio.sleep(0.02)
    finally:
        watching.cancel()
    assert watched.desk.audit_records(1)[0].actor == "file:policy.yaml"


def test_a_file_that_is_only_touched_does_not_undo_a_rollback(rig: Rig, path: Path) -> None:
    rig.apply(POLICY)
    path.write_text(NO_SMALL)
    file = PolicyFile(path, rig.desk.policies)
    file.look()
    rig.desk.policies.rollback(actor="me")

    os.utime(path, ns=(1, 1))
    file.look()

    assert name_in_force(rig) == "first"


def test_two_edits_within_one_tick_of_the_files_clock_both_count(rig: Rig, path: Path) -> None:
    file = PolicyFile(path, rig.desk.policies)
    path.write_text(POLICY)
    file.look()
    stat = path.stat()

    path.write_text(POLICY.replace("first", "later"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the same time and size, as a second edit at once leaves
    file.look()

    assert name_in_force(rig) == "later"


def test_a_restart_does_not_undo_a_rollback_and_a_later_edit_counts_again(rig: Rig, path: Path) -> None:
    rig.apply(POLICY)
    path.write_text(NO_SMALL)
    PolicyFile(path, rig.desk.policies).look()
    rig.desk.policies.rollback(actor="me")

    restarted = PolicyFile(path, rig.desk.policies)
    restarted.look()
    assert name_in_force(rig) == "first"

    path.write_text(NO_SMALL + "# edited\n")
    restarted.look()
    assert name_in_force(rig) == "second"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe", "not UTF-8"), (b"#" * (MAX_BYTES + 1), "more than"), (None, "No such file")],
)
def test_a_file_that_cannot_be_read_is_said_so_and_the_policy_stays(
    rig: Rig, path: Path, content: bytes | None, reason: str
) -> None:
    rig.apply(POLICY)
    if content is not None:
        path.write_bytes(content)
    file = PolicyFile(path, rig.desk.policies)

    file.look()

    assert reason in (file.refused or "")
    assert name_in_force(rig) == "first"


def test_a_file_put_in_place_by_renaming_is_seen(rig: Rig, path: Path) -> None:
    path.write_text(POLICY)
    file = PolicyFile(path, rig.desk.policies)
    file.look()
    draft = path.with_suffix(".new")
    draft.write_text(NO_SMALL)
    draft.replace(path)

    file.look()

    assert name_in_force(rig) == "second"


async def test_without_a_file_there_is_nothing_to_watch(rig: Rig) -> None:
    await rig.desk.watch_policy_file()
    assert rig.desk.refused() is None
