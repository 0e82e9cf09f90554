"""Migrations as SQL files: ``sql/NAME/DIALECT.sql``, statements parted by a semicolon at a line's end."""

from importlib.resources import files

from alembic import op


def run_sql_file(name: str) -> None:
    """Run the statements of migration *name*, one by one: the PostgreSQL driver takes no two at once."""
    dialect = op.get_context().dialect.name
    text = files("gateway.store.migrations").joinpath("sql", name, f"{dialect}.sql").read_text("utf-8")
    for statement in text.split(";\n"):
        if statement.strip():
            op.execute(statement)
