"""Model artifacts with their gates, and what was measured of models."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two tables; none of the first ones changes."""
    op.create_table(
        "artifacts",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("parent_digest", sa.Text),
        sa.Column("method", sa.Text),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("n_parameters", sa.BigInteger),
        sa.Column("precision", sa.Text),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("gate_outcome", sa.Text, nullable=False),
        sa.Column("gate_record", sa.Text),
        sa.Column("registered_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_artifacts_parent", "artifacts", ["parent_digest"])
    op.create_table(
        "probes",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("measured_at_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("n_samples", sa.Integer, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
