"""Twilio's own OpenAPI files, where they are at hand: beside the repository."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "twilio" / "openapi"

needs_openapi = pytest.mark.skipif(not FOLDER.is_dir(), reason="Twilio's OpenAPI files are not beside the repository")


@functools.cache
def document(product: str) -> dict[str, Any]:
    """The file of *product*, such as ``chat_v2``."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"twilio_{product}.json").read_text())
    return loaded


def as_json_schema(product: str, schema: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema's: ``nullable`` becomes a type, references are put in."""
    if isinstance(schema, list):
        return [as_json_schema(product, one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return as_json_schema(product, document(product)["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    plain = {key: as_json_schema(product, value) for key, value in schema.items() if key not in ("nullable", "format")}
    if schema.get("nullable") and "type" in plain:
        plain["type"] = [plain["type"], "null"]
    return plain
