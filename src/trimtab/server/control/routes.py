"""Every route of the control listener."""

from typing import NamedTuple

from fastapi.routing import APIRoute

from trimtab.server.control import api, pages
from trimtab.server.control.openapi import permission_of


class Route(NamedTuple):
    """One method of one path."""

    method: str
    path: str


def all_routes() -> list[Route]:
    """Return every route, in the order in which they are tried."""
    return [Route(method, route.path) for route in _routes() for method in sorted(route.methods or ())]


def permissions() -> dict[Route, str | None]:
    """Return what each route asks for; ``None`` is nothing."""
    return {
        Route(method, route.path): permission_of(route) for route in _routes() for method in sorted(route.methods or ())
    }


def _routes() -> list[APIRoute]:
    return [route for router in (api.router, pages.router) for route in router.routes if isinstance(route, APIRoute)]
