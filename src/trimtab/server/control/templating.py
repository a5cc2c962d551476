"""Templates of the pages. Numbers go through the functions of ``trimtab.control.numbers``, as at the command line."""

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from trimtab.control import numbers, priced_by

FILTERS = {
    "usd": numbers.usd,
    "usd_column": numbers.usd_column,
    "usd_per_mtok": numbers.usd_per_mtok,
    "quality": numbers.quality,
    "percent": numbers.percent,
    "priced_by": priced_by,
    "count": numbers.count,
    "ms": numbers.ms,
    "instant": numbers.instant,
}

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def render(name: str, status: int = 200, **shown: Any) -> Response:  # Any: template variables
    """Return a page."""
    text = _templates().get_template(name).render(is_signed_in=name != "login.html", **shown)
    return Response(
        _UNSEEN.sub("\ufffd", text).encode("utf-8", "replace"), status, media_type="text/html; charset=utf-8"
    )


def static_file(name: str) -> bytes:
    """Return a file that pages refer to."""
    return files("trimtab.server.control").joinpath("templates", name).read_bytes()


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("trimtab.server.control"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment
