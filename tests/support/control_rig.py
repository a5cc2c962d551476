"""A desk on a real database with a clock that stands still, and calls to put before it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tests.support.clock import StillClock

from trimtab.catalog import ModelCard, Pool, PriceBook, PriceConfig
from trimtab.control import Desk, KeyRequest, MadeKey, Operator, local_operator
from trimtab.core import CallRecord, CallStatus, CostSource, JournalEntry, Usage, to_us
from trimtab.policy import Facts, load_policy
from trimtab.routing import Estimate, decide_afresh, digest_of
from trimtab.stats import mean_interval_from_sums
from trimtab.store import CallReader, Database, Ledger, Secrets, open_database

NOW_US = to_us(datetime(2026, 3, 4, 12, tzinfo=UTC))
SECOND_US = 1_000_000

SMALL = ModelCard(provider="local", model="small", boundary="inside", capability_rank=1, model_class="small")
LARGE = ModelCard(provider="cloud", model="large", capability_rank=9, model_class="frontier")
POOL = Pool.of([SMALL, LARGE])
PRICES = PriceBook(
    {
        SMALL.name: PriceConfig(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2), source="test"),
        LARGE.name: PriceConfig(input_usd_per_mtok=Decimal(10), output_usd_per_mtok=Decimal(20), source="test"),
    }
)
POLICY = "policy: first\norganisation: {sensitivity: public}\n"
NO_SMALL = """\
policy: second
organisation: {sensitivity: public}
rules:
  - id: large-for-code
    when: {task_type: code}
    then: {models: {deny: ["local:small"]}}
"""


class JournalQuality:
    """Quality from the journal's own sums, as the product's wiring gives it."""

    def __init__(self, reader: CallReader) -> None:
        self._rows = {(row.workload, row.model): row for row in reader.quality_sums()}

    def quality(self, workload: str, model: str) -> Estimate | None:
        row = self._rows.get((workload, model))
        if row is None:
            return None
        found = mean_interval_from_sums(row.n, row.total, row.total_of_squares)
        return Estimate(mean=found.mean, lower=found.lower, upper=found.upper, n_samples=row.n)


@dataclass
class Rig:
    """A desk with what it stands on."""

    database: Database
    desk: Desk
    clock: StillClock
    me: Operator = field(default_factory=local_operator)

    def book(self, *entries: JournalEntry) -> None:
        """Write calls as the journal does."""
        Ledger(self.database).book(entries)

    def key(self, **fields: object) -> MadeKey:
        """Make a key at the command line."""
        return self.desk.keys.create(self.me, KeyRequest(**{"name": "test", **fields}))  # type: ignore[arg-type]

    def operator(self, **fields: object) -> Operator:
        """Return somebody who holds a new key."""
        return self.desk.authenticate(self.key(**fields).secret)

    def apply(self, text: str) -> str:
        """Put a policy in force and return its version."""
        return self.desk.policies.apply(text, origin="policy.yaml", actor="test").version


def open_rig(folder: Path, url: str | None = None, *, pool: Pool = POOL, policy_file: Path | None = None) -> Rig:
    """Return a desk on a new database."""
    database = open_database(url or f"sqlite:///{folder / 'trimtab.db'}")
    clock, reader = StillClock(NOW_US), CallReader(database)
    desk = Desk(
        database=database,
        pool=pool,
        prices=PRICES,
        evidence=lambda: JournalQuality(reader),
        secrets=Secrets(folder / "secrets"),
        clock=clock,
        policy_file=policy_file,
    )
    return Rig(database, desk, clock)


def call(number: int, **fields: object) -> JournalEntry:
    """Return an imported call: a thousand tokens in, a hundred out, the small model, a tenth of a cent."""
    known: dict[str, object] = {
        "call_id": f"call_{number:026d}",
        "started_at_us": NOW_US - number * SECOND_US,
        "source": "import:test",
        "workload": "faq",
        "task_type": "qa",
        "sensitivity": 0,
        "model": "local:small",
        "usage": Usage(input_tokens=1000, output_tokens=100),
        "cost_nano_usd": 1_000_000,
        "cost_source": CostSource.IMPORTED,
        "latency_ms": 100.0,
    }
    return JournalEntry(call=CallRecord(**(known | fields)))  # type: ignore[arg-type]


def decided_call(
    number: int, policy_text: str = POLICY, *, facts: Facts | None = None, **fields: object
) -> JournalEntry:
    """Return a gateway call with the decision that a policy leads to."""
    facts = facts or Facts(workload="faq", task_type="qa", sensitivity=0, input_tokens=1024)
    policy = load_policy(policy_text, origin="policy.yaml")
    decision = decide_afresh(facts, policy.resolve(facts, POOL), POOL, PRICES, at_us=NOW_US)
    encoded = decision.encoded()
    known: dict[str, object] = {
        "source": "gateway",
        "workload": facts.workload,
        "task_type": facts.task_type,
        "sensitivity": facts.sensitivity,
        "app": facts.app,
        "model": decision.model,
        "policy_version": policy.version,
        "rule_id": decision.rule_ids[0],
        "decision_digest": digest_of(encoded),
        "cost_source": CostSource.PRICED,
    }
    if decision.model is None:
        known |= {"status": CallStatus.REFUSED, "http_status": 403, "cost_nano_usd": None}
    entry = call(number, **(known | fields))
    return JournalEntry(call=entry.call, decision=encoded)
