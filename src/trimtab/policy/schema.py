"""The JSON Schema of a policy file, for editors."""

from typing import Any

from trimtab.policy.document import Document


def policy_json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) that completes keys and explains them. ``Any``: it is JSON.

    Put ``# yaml-language-server: $schema=policy.schema.json`` on a policy's first line to use it.
    """
    schema = Document.model_json_schema(by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trimtab policy",
    }
    return head | {key: value for key, value in schema.items() if key not in head}
