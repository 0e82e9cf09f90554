"""The SQL statements, each in a file of its own under ``sql/``, read once at import."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["sqlite", "postgres"]


def load_statement(side: Side, name: str) -> str:
    """The statement in ``sql/SIDE/NAME.sql``."""
    return files("gateway.store").joinpath("sql", side, f"{name}.sql").read_text("utf-8").strip()
