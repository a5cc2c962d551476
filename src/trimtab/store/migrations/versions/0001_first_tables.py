"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    _create_calls()
    _create_totals()
    _create_money()
    _create_control()


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("started_at_us", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("api", sa.Text, nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text),
        sa.Column("workload", sa.Text, nullable=False),
        sa.Column("workload_class", sa.Text, nullable=False),
        sa.Column("task_type", sa.Text, nullable=False),
        sa.Column("sensitivity", sa.SmallInteger, nullable=False),
        sa.Column("conversation_id", sa.Text),
        sa.Column("prompt_id", sa.Text),
        sa.Column("requested_model", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("policy_version", sa.Text),
        sa.Column("rule_id", sa.Text),
        sa.Column("decision_digest", sa.Text),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("http_status", sa.Integer, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("is_stream", sa.Boolean, nullable=False),
        sa.Column("is_recorded", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Text),
        sa.Column("input_tokens", sa.Integer),
        sa.Column("output_tokens", sa.Integer),
        sa.Column("cache_read_tokens", sa.Integer),
        sa.Column("cache_write_tokens", sa.Integer),
        sa.Column("reasoning_tokens", sa.Integer),
        sa.Column("cost_nano_usd", sa.BigInteger),
        sa.Column("cost_source", sa.Text, nullable=False),
        sa.Column("latency_us", sa.BigInteger),
        sa.Column("ttft_us", sa.BigInteger),
        sa.Column("quality_fraction", sa.Double),
        sa.Column("finish_reason", sa.Text),
        sa.Column("n_tools", sa.Integer, nullable=False),
        sa.Column("store_mode", sa.Text, nullable=False),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index("ix_calls_call_id", "calls", ["call_id"])
    op.create_index("ix_calls_prompt", "calls", ["prompt_id", "call_id"])
    op.create_index("ix_calls_started", "calls", ["started_at_us", "call_id"])
    op.create_index("ix_calls_workload", "calls", ["workload", "started_at_us", "call_id"])
    op.create_table(
        "bodies",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("request", sa.LargeBinary),
        sa.Column("response", sa.LargeBinary),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "decisions",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_decisions_day", "decisions", ["day"])
    op.create_table(
        "feedback",
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("score_fraction", sa.Double, nullable=False),
        sa.Column("comment", sa.Text),
    )
    op.create_index("ix_feedback_day", "feedback", ["day"])


def _create_totals() -> None:
    op.create_table(
        "rollup_hour",
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("workload", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("n_calls", sa.BigInteger, nullable=False),
        sa.Column("n_unpriced", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("n_latency", sa.BigInteger, nullable=False),
        sa.Column("latency_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "rollup_day",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("workload", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("app", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("n_calls", sa.BigInteger, nullable=False),
        sa.Column("n_unpriced", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("n_latency", sa.BigInteger, nullable=False),
        sa.Column("latency_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "quality_sums",
        sa.Column("workload", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Double, nullable=False),
        sa.Column("total_of_squares", sa.Double, nullable=False),
    )


def _create_money() -> None:
    op.create_table(
        "spend_day",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("nano_usd", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("first_day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("amount_nano_usd", sa.BigInteger, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_leases_worker", "leases", ["worker"])
    op.create_table(
        "spool_marks",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("n_booked", sa.BigInteger, nullable=False),
    )


def _create_control() -> None:
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("calls_per_minute", sa.Integer),
        sa.Column("tokens_per_minute", sa.Integer),
        sa.Column("per_day_nano_usd", sa.BigInteger),
        sa.Column("per_month_nano_usd", sa.BigInteger),
        sa.Column("sensitivity", sa.Text),
        sa.Column("parent_key_id", sa.Text),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger),
        sa.Column("revoked_at_us", sa.BigInteger),
    )
    op.create_table(
        "policy_versions",
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("canonical", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "policy_pointer",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("mac", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("mac", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
    )
    op.create_table(
        "state",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
