"""Evaluation suites by their content, runs over them, and each answer with its score."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the three tables; none of the earlier ones changes."""
    op.create_table(
        "evaluation_suites",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("n_cases", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("stored_at_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "evaluation_runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("suite_digest", sa.Text, nullable=False),
        sa.Column("suite_name", sa.Text, nullable=False),
        sa.Column("target_digest", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("n_expected", sa.Integer, nullable=False),
        sa.Column("started_at_us", sa.BigInteger, nullable=False),
        sa.Column("finished_at_us", sa.BigInteger),
        sa.Column("scored_from", sa.Text),
    )
    op.create_index("ix_evaluation_runs_target", "evaluation_runs", ["target_digest", "suite_name"])
    op.create_index("ix_evaluation_runs_started", "evaluation_runs", ["started_at_us", "run_id"])
    op.create_table(
        "evaluation_results",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("sample", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stratum", sa.Text, nullable=False),
        sa.Column("request_digest", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("answered_by", sa.Text),
        sa.Column("call_id", sa.Text),
        sa.Column("finish_reason", sa.Text),
        sa.Column("input_tokens", sa.Integer),
        sa.Column("output_tokens", sa.Integer),
        sa.Column("latency_us", sa.BigInteger),
        sa.Column("ttft_us", sa.BigInteger),
        sa.Column("cost_nano_usd", sa.BigInteger),
        sa.Column("energy_wh", sa.Double),
        sa.Column("seed", sa.BigInteger),
        sa.Column("is_cached", sa.Boolean, nullable=False),
        sa.Column("n_tries", sa.Integer, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("is_scored", sa.Boolean, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("why", sa.Text),
        sa.Column("grading_cost_nano_usd", sa.BigInteger),
    )
    op.create_index("ix_evaluation_results_request", "evaluation_results", ["request_digest"])
