"""What faults need: an identity, fences, instances, jobs with a lease, weights, and edits of a question.

Only adds, so that gateways of the release before may run beside it. The functions of a turn are replaced in
place, with a meaning that callers of either release understand.

Revision ID: 0002
Revises: 0001
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
NEW = ("serves_since", "asked_at", "change")
REPLACED = ("work", "accept", "close", "commit", "claim")


def run_sql(text: str) -> None:
    """The driver takes one statement at a time; ours are functions that end in a line `$$;`."""
    for statement in text.split("$$;\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement + "$$")


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    default = None if nullable else sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def upgrade() -> None:
    """The tables that are in use are locked in the order in which a batch goes through them."""
    op.add_column("users", sa.Column("weight", sa.REAL(), server_default=sa.text("1"), nullable=False))
    op.create_check_constraint(op.f("ck_users_weight"), "users", "weight > 0")
    op.create_index(
        "ix_conversations_held",
        "conversations",
        ["user_id"],
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.add_column("inbox", sa.Column("revision", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "identity",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("deployment", sa.UUID(), nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("timeline", sa.Integer(), nullable=True),
        sa.Column("beat", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        moment("beaten_at"),
        sa.CheckConstraint("id = 1", name=op.f("ck_identity_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
    )
    op.create_table(
        "fences",
        sa.Column("id", sa.UUID(), nullable=False),
        moment("raised_at"),
        sa.Column("reason", sa.Text(), nullable=False),
        moment("lifted_at", nullable=True),
        sa.Column("lifted_as", sa.Text(), nullable=True),
        sa.CheckConstraint("lifted_as IN ('uncertain', 'resume')", name=op.f("ck_fences_lifted_as")),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_as IS NULL)", name=op.f("ck_fences_lifted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fences")),
    )
    op.create_index(
        "ix_fences_standing", "fences", ["raised_at"], postgresql_where=sa.text("lifted_at IS NULL")
    )
    op.create_index(
        "ix_fences_doubt",
        "fences",
        [sa.literal_column("raised_at DESC")],
        postgresql_where=sa.text("lifted_as = 'uncertain'"),
    )
    op.create_table(
        "instances",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        moment("started_at"),
        moment("seen_at"),
        sa.Column("draining", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("holds", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "receives", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False
        ),
        sa.CheckConstraint("role IN ('all', 'ingress', 'worker', 'web')", name=op.f("ck_instances_role")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_instances")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "jobs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        moment("held_until", nullable=True),
        moment("last_run", nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
        postgresql_with={"fillfactor": "50"},
    )
    for name in (*NEW, *REPLACED):
        run_sql((SQL / "0002" / f"{name}.sql").read_text())


def downgrade() -> None:
    run_sql((SQL / "commit_v1.sql").read_text().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("DROP FUNCTION parley_change_v1(jsonb, uuid[])")
    op.execute("DROP FUNCTION parley_asked_at_v1(timestamptz, timestamptz)")
    op.execute("DROP FUNCTION parley_serves_since()")
    for table in ("jobs", "instances", "fences", "identity"):
        op.drop_table(table)
    op.drop_column("users", "weight")
    op.drop_index("ix_conversations_held", table_name="conversations")
    op.drop_column("inbox", "revision")
