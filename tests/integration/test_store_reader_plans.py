"""No page of a long read sorts or starts over: the time of a read grows with the rows and not with their square."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tests.support.store_rig import NOON_US, entry

from trimtab.store import CallFilter, CallReader, Database, Ledger, open_database
from trimtab.store import reader as reader_module

FILTERS = [
    CallFilter(),
    CallFilter(workload="faq"),
    CallFilter(status="ok"),
    CallFilter(model="p:small", app="shop", source="gateway"),
    CallFilter(since_us=NOON_US),
    CallFilter(until_us=2 * NOON_US),
    CallFilter(workload="faq", since_us=NOON_US, until_us=2 * NOON_US),
]
READS: dict[str, Callable[[CallReader, CallFilter], object]] = {
    "newest": lambda reader, filter: reader.newest(filter, 5),
    "stream": lambda reader, filter: list(reader.stream(filter, bodies=True)),
    "prompts": lambda reader, filter: list(reader.recorded_prompts(filter)),
    "latency": lambda reader, filter: reader.latency_samples(5),
}


@pytest.fixture
def database(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(reader_module, "PAGE_ROWS", 20)
    monkeypatch.setattr(reader_module, "PAGE_ROWS_WITH_BODIES", 20)
    opened = open_database(f"sqlite:///{tmp_path}/t.db")
    Ledger(opened).book([entry(prompt_id=f"p{number % 9}" if number % 2 else None) for number in range(100)])
    yield opened
    opened.close()


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_every_page_is_one_step_in_an_index(database: Database, read: str, filter: CallFilter) -> None:
    plans: list[tuple[str, list[str]]] = []

    def explain(connection: object, cursor: object, statement: str, parameters: object, *rest: object) -> None:
        if "FROM calls" in statement:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[attr-defined]
            plans.append((statement, [row[3] for row in cursor.fetchall()]))  # type: ignore[attr-defined]

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        READS[read](CallReader(database), filter)
    finally:
        event.remove(Engine, "before_cursor_execute", explain)

    assert plans
    for statement, plan in plans:
        assert not [step for step in plan if "TEMP B-TREE" in step], statement
        place = {"stream": "(started_at_us,call_id)>", "prompts": "call_id"}.get(read, "calls USING INDEX")
        assert place in plan[0] or ") > (" not in statement, (statement, plan)
