"""The control listener: a JSON API and read-only pages, apart from the port that callers reach."""

from trimtab.server.control.app import PUBLIC_ROUTES, build_control_app

__all__ = ["PUBLIC_ROUTES", "build_control_app"]
