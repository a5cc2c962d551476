"""The tables, once for both databases. ``docs/reference/tables.md`` explains each.

Instants are Unix microseconds, days and hours are counted from 1970-01-01 UTC, money is integer nano-dollars and
durations are integer microseconds: integers add up to the same sum in any order and on either database.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("call_id", Text, primary_key=True),
    Column("started_at_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("api", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("key_id", Text),
    Column("workload", Text, nullable=False),
    Column("workload_class", Text, nullable=False),
    Column("task_type", Text, nullable=False),
    Column("sensitivity", SmallInteger, nullable=False),
    Column("conversation_id", Text),
    Column("prompt_id", Text),
    Column("requested_model", Text, nullable=False),
    Column("model", Text),
    Column("mode", Text, nullable=False),
    Column("policy_version", Text),
    Column("rule_id", Text),
    Column("decision_digest", Text),
    Column("propensity", Double, nullable=False),
    Column("status", Text, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("error_code", Text),
    Column("is_stream", Boolean, nullable=False),
    Column("is_recorded", Boolean, nullable=False),
    Column("attempts", Text),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cache_read_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("cost_nano_usd", BigInteger),
    Column("cost_source", Text, nullable=False),
    Column("latency_us", BigInteger),
    Column("ttft_us", BigInteger),
    Column("quality_fraction", Double),
    Column("finish_reason", Text),
    Column("n_tools", Integer, nullable=False),
    Column("store_mode", Text, nullable=False),
    Index("ix_calls_call_id", "call_id"),
    Index("ix_calls_started", "started_at_us", "call_id"),
    Index("ix_calls_workload", "workload", "started_at_us", "call_id"),
    Index("ix_calls_prompt", "prompt_id", "call_id"),
    postgresql_partition_by="RANGE (day)",
)

bodies = Table(
    "bodies",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("call_id", Text, primary_key=True),
    Column("request", LargeBinary),
    Column("response", LargeBinary),
    postgresql_partition_by="RANGE (day)",
)

decisions = Table(
    "decisions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("day", Integer, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("ix_decisions_day", "day"),
)

ROLLUP_KEYS = ("workload", "model", "app", "status", "source")
ROLLUP_SUMS = (
    "n_calls",
    "n_unpriced",
    "cost_nano_usd",
    "input_tokens",
    "output_tokens",
    "n_latency",
    "latency_us",
)


def _rollup(name: str, period: str) -> Table:
    return Table(
        name,
        metadata,
        Column(period, Integer, primary_key=True, autoincrement=False),
        *(Column(key, Text, primary_key=True) for key in ROLLUP_KEYS),
        *(Column(total, BigInteger, nullable=False) for total in ROLLUP_SUMS),
    )


rollup_hour = _rollup("rollup_hour", "hour")
rollup_day = _rollup("rollup_day", "day")

quality_sums = Table(
    "quality_sums",
    metadata,
    Column("workload", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("total", Double, nullable=False),
    Column("total_of_squares", Double, nullable=False),
)

spend_day = Table(
    "spend_day",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("nano_usd", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("first_day", Integer, primary_key=True, autoincrement=False),
    Column("worker", Text, primary_key=True),
    Column("amount_nano_usd", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Index("ix_leases_worker", "worker"),
)

spool_marks = Table(
    "spool_marks",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("segment", BigInteger, nullable=False),
    Column("n_booked", BigInteger, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("day", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("score_fraction", Double, nullable=False),
    Column("comment", Text),
    Index("ix_feedback_day", "day"),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("secret_hash", Text, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("calls_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("per_day_nano_usd", BigInteger),
    Column("per_month_nano_usd", BigInteger),
    Column("sensitivity", Text),
    Column("parent_key_id", Text),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),
    Column("revoked_at_us", BigInteger),
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("canonical", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
)

policy_pointer = Table(
    "policy_pointer",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("version", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("parent_digest", Text),
    Column("method", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("n_parameters", BigInteger),
    Column("precision", Text),
    Column("facts", Text, nullable=False),
    Column("gate_outcome", Text, nullable=False),
    Column("gate_record", Text),
    Column("registered_at_us", BigInteger, nullable=False),
    Index("ix_artifacts_parent", "parent_digest"),
)

probes = Table(
    "probes",
    metadata,
    Column("model", Text, primary_key=True),
    Column("measured_at_us", BigInteger, primary_key=True, autoincrement=False),
    Column("n_samples", Integer, nullable=False),
    Column("facts", Text, nullable=False),
)

evaluation_suites = Table(
    "evaluation_suites",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("n_cases", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("stored_at_us", BigInteger, nullable=False),
)

evaluation_runs = Table(
    "evaluation_runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("suite_digest", Text, nullable=False),
    Column("suite_name", Text, nullable=False),
    Column("target_digest", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("n_expected", Integer, nullable=False),
    Column("started_at_us", BigInteger, nullable=False),
    Column("finished_at_us", BigInteger),
    Column("scored_from", Text),
    Index("ix_evaluation_runs_target", "target_digest", "suite_name"),
    Index("ix_evaluation_runs_started", "started_at_us", "run_id"),
)

evaluation_results = Table(
    "evaluation_results",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("sample", Integer, primary_key=True, autoincrement=False),
    Column("stratum", Text, nullable=False),
    Column("request_digest", Text, nullable=False),
    Column("answer", LargeBinary),
    Column("answered_by", Text),
    Column("call_id", Text),
    Column("finish_reason", Text),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("latency_us", BigInteger),
    Column("ttft_us", BigInteger),
    Column("cost_nano_usd", BigInteger),
    Column("energy_wh", Double),
    Column("seed", BigInteger),
    Column("is_cached", Boolean, nullable=False),
    Column("n_tries", Integer, nullable=False),
    Column("error_code", Text),
    Column("is_scored", Boolean, nullable=False),
    Column("score", Double),
    Column("why", Text),
    Column("grading_cost_nano_usd", BigInteger),
    Index("ix_evaluation_results_request", "request_digest"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("mac", Text, nullable=False),
    Column("signature", Text, nullable=False),
)

state = Table(
    "state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
)
