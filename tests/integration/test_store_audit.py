"""The chain shows whatever is done to the records afterwards."""

import logging
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import Connection, delete, insert, select, update
from tests.support.clock import StillClock
from tests.support.store_rig import NOON_US, rows

from trimtab.store import AuditLog, Database
from trimtab.store.tables import audit, audit_head, state

SECRET = b"k" * 32
Deed = Callable[[Connection], object]


@pytest.fixture
def log(database: Database) -> AuditLog:
    return AuditLog(database, SECRET, StillClock(NOON_US))


def write(database: Database, log: AuditLog, n_records: int = 5) -> None:
    for number in range(n_records):
        with database.writing() as connection:
            log.append(connection, actor="ada", action="key.create", subject=f"key_{number}", detail={"n": number})


def do(database: Database, *deeds: Deed) -> None:
    with database.writing() as connection:
        for deed in deeds:
            deed(connection)


def test_an_empty_log_is_intact(log: AuditLog) -> None:
    assert msgspec.structs.astuple(log.verify()) == (True, 0, None, None)


def test_records_come_back_as_they_were_written(database: Database, log: AuditLog) -> None:
    write(database, log, 3)

    newest = log.records(2)

    assert [record.seq for record in newest] == [3, 2]
    assert msgspec.structs.astuple(newest[0]) == (3, NOON_US, "ada", "key.create", "key_2", '{"n":2}')
    assert [record.seq for record in log.stream()] == [1, 2, 3]


def test_a_log_as_it_was_written_is_intact(database: Database, log: AuditLog) -> None:
    write(database, log, 5)

    verdict = log.verify()

    assert (verdict.is_intact, verdict.n_records, verdict.problem) == (True, 5, None)
    assert verdict.head == rows(database, "audit_head")[0]["mac"]


def _swap(connection: Connection) -> None:
    for old, new in ((2, 90), (3, 2), (90, 3)):
        connection.execute(update(audit).where(audit.c.seq == old).values(seq=new))


def _insert(connection: Connection) -> None:
    for seq in (5, 4, 3):
        connection.execute(update(audit).where(audit.c.seq == seq).values(seq=seq + 1))
    forged = {
        "seq": 3,
        "at_us": 0,
        "actor": "x",
        "action": "key.create",
        "subject": "x",
        "detail": "{}",
        "mac": "0" * 64,
    }
    connection.execute(insert(audit), forged)


TAMPERED: dict[str, tuple[Deed, str]] = {
    "edit": (lambda c: c.execute(update(audit).where(audit.c.seq == 3).values(actor="eve")), "record 3 "),
    "edit detail": (lambda c: c.execute(update(audit).where(audit.c.seq == 2).values(detail='{"n":9}')), "record 2 "),
    "edit time": (lambda c: c.execute(update(audit).where(audit.c.seq == 1).values(at_us=1)), "record 1 "),
    "delete first": (lambda c: c.execute(delete(audit).where(audit.c.seq == 1)), "record 1 is missing"),
    "delete middle": (lambda c: c.execute(delete(audit).where(audit.c.seq == 3)), "record 3 is missing"),
    "delete two": (lambda c: c.execute(delete(audit).where(audit.c.seq.in_([2, 3]))), "records 2 to 3 are missing"),
    "delete last": (lambda c: c.execute(delete(audit).where(audit.c.seq == 5)), "ends at record 4, and record 5"),
    "delete all": (lambda c: c.execute(delete(audit)), "ends at record 0, and record 5"),
    "reorder": (_swap, "record 2 "),
    "insert": (_insert, "record 3 "),
    "delete the end": (lambda c: c.execute(delete(audit_head)), "signed end of the log is missing"),
    "forge the end": (lambda c: c.execute(update(audit_head).values(seq=4)), "signed end of the log was changed"),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_promise_7_an_edited_removed_reordered_or_inserted_record_is_found(
    database: Database, log: AuditLog, kind: str
) -> None:
    deed, problem = TAMPERED[kind]
    write(database, log, 5)
    do(database, deed)

    verdict = log.verify()

    assert not verdict.is_intact
    assert problem in (verdict.problem or "")


def test_attack_30_audit_verify_fails_at_the_edited_row(database: Database, log: AuditLog) -> None:
    write(database, log, 40)
    do(database, lambda c: c.execute(update(audit).where(audit.c.seq == 17).values(subject="key_x")))

    assert "record 17 " in (log.verify().problem or "")


def test_promise_7_records_cut_off_together_with_the_signed_end_are_missed(database: Database, log: AuditLog) -> None:
    write(database, log, 5)
    do(database, lambda c: c.execute(delete(audit).where(audit.c.seq > 3)), lambda c: c.execute(delete(audit_head)))

    assert not log.verify().is_intact


def test_promise_7_an_older_end_put_back_is_found(database: Database, log: AuditLog) -> None:
    write(database, log, 3)
    (older,) = rows(database, "audit_head")
    write(database, log, 2)
    do(
        database,
        lambda c: c.execute(delete(audit).where(audit.c.seq > 3)),
        lambda c: c.execute(update(audit_head).values(**older)),
    )

    assert "ends at record 3, and record 5 was written" in (log.verify().problem or "")


@pytest.mark.parametrize("kind", ["delete last", "delete all", "delete the end", "forge the end", "edit"])
def test_promise_7_going_on_does_not_hide_what_was_done(database: Database, log: AuditLog, kind: str) -> None:
    write(database, log, 5)
    do(database, TAMPERED[kind][0])

    write(database, log, 3)

    assert not log.verify().is_intact
    assert log.records(1)[0].seq == 8


def test_promise_7_without_the_key_no_chain_verifies(database: Database, log: AuditLog) -> None:
    write(database, log, 2)
    forger = AuditLog(database, b"another key", StillClock(NOON_US))
    do(
        database,
        lambda c: c.execute(delete(audit)),
        lambda c: c.execute(delete(audit_head)),
        lambda c: c.execute(delete(state)),
    )
    write(database, forger, 2)

    assert forger.verify().is_intact
    assert not log.verify().is_intact


def test_a_change_that_is_rolled_back_leaves_no_record(database: Database, log: AuditLog) -> None:
    def fail(connection: Connection) -> None:
        log.append(connection, actor="a", action="key.create", subject="k", detail={})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        do(database, fail)

    assert msgspec.structs.astuple(log.verify()) == (True, 0, None, None)


def test_text_that_no_database_holds_still_verifies(database: Database, log: AuditLog) -> None:
    with database.writing() as connection:
        log.append(connection, actor="a\x00\ud800", action="key.create", subject="ü\x00", detail={"x": "\x00"})

    assert log.verify().is_intact


def test_each_code_is_logged_so_that_it_can_be_kept_elsewhere(
    database: Database, log: AuditLog, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "trimtab.audit"):
        write(database, log, 1)

    assert str(log.verify().head) in caplog.text


def test_a_log_longer_than_a_page_is_read_whole(
    database: Database, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.store import audit as audit_module

    monkeypatch.setattr(audit_module, "_PAGE", 3)
    write(database, log, 7)

    assert log.verify().is_intact
    assert len(list(log.stream())) == 7
    with database.reading() as connection:
        assert len(connection.execute(select(audit)).all()) == 7
