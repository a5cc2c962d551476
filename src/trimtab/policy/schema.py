"""The JSON Schema of a policy file, for editors."""

from typing import Any

from trimtab.policy.document import Document


def policy_json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) that completes keys and explains them. ``Any``: it is JSON.

    Put ``# yaml-language-server: $schema=policy.schema.json`` on a policy's first line to use it.
    """
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Trimtab policy"}
    plain: dict[str, Any] = _without_null(Document.model_json_schema(by_alias=True))
    return head | plain


def _without_null(schema: Any) -> Any:
    """Drop what pydantic adds for Python: null as a value (a file may only leave a key out) and made-up titles."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _without_null(value) for key, value in schema.items() if not _is_noise(key, value)}
    options = plain.get("anyOf")
    if isinstance(options, list) and len(options) == 1:
        plain.pop("anyOf")
        plain = options[0] | plain
    return plain


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
