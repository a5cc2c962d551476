"""The OpenAPI document: FastAPI knows the questions, msgspec the answers."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from trimtab.server.control.api import ANSWERS, router

_REF = "#/components/schemas/{name}"
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string", "description": "What went wrong, and the next step."},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string", "description": "Stable."},
            },
            "required": ["message", "type", "param", "code"],
        }
    },
    "required": ["error"],
}


def document(app: FastAPI) -> dict[str, Any]:  # Any: JSON
    """Return the document of the control API."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=router.routes)
        schemas, components = msgspec.json.schema_components(ANSWERS.values(), ref_template=_REF)
        answers = dict(zip(ANSWERS, schemas, strict=True))
        known = found.setdefault("components", {})
        known.setdefault("schemas", {}).update(components, Error=_ERROR)
        known["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}]
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                _complete(found["paths"][route.path], route, answers.get(route.name))
        app.openapi_schema = found
    return app.openapi_schema


def _complete(path: dict[str, Any], route: APIRoute, answer: dict[str, Any] | None) -> None:
    for method in route.methods or ():
        operation = path[method.lower()]
        operation["x-permission"] = permission_of(route)
        responses = {status: shown for status, shown in operation["responses"].items() if status != "422"}
        for shown in responses.values():
            if answer is not None:
                shown["content"] = {"application/json": {"schema": answer}}
        responses["default"] = {
            "description": "It failed, and says why",
            "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}},
        }
        operation["responses"] = responses


def permission_of(route: APIRoute) -> str | None:
    """Return the permission that a route asks for, or ``None`` for a route that anybody may use."""
    for dependency in route.dependant.dependencies:
        name = getattr(dependency.call, "permission", None)
        if isinstance(name, str):
            return name
    return None
