"""The control application: FastAPI, host check, security headers and Trimtab's error form."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

import trimtab
from trimtab.control import Desk
from trimtab.core import Api
from trimtab.core.errors import InvalidRequest, PermissionDenied, RequestTooLarge, TrimtabError
from trimtab.server.control import api, pages
from trimtab.server.control.auth import Sessions
from trimtab.server.control.openapi import document
from trimtab.server.control.templating import render
from trimtab.server.errors import body_of, status_of

PUBLIC_ROUTES = frozenset({"/healthz", "/login", "/logout", "/static/style.css", "/static/icon.svg"})
"""The only paths that answer without a credential. Pages without a session redirect to ``/login``."""

MAX_BODY_BYTES = 2 * 1024 * 1024
BODY_TIMEOUT_S = 20.0

_SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # under "no-referrer" browsers send `Origin: null` with our own forms
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class _Application(FastAPI):
    """FastAPI with the document that knows the answers too."""

    def openapi(self) -> dict[str, Any]:  # Any: JSON
        return document(self)


def build_control_app(desk: Desk, *, allowed_hosts: Sequence[str]) -> FastAPI:
    """Return the application."""
    app = _Application(
        title="Trimtab control API",
        version=trimtab.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.state.sessions = Sessions(desk)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.add_exception_handler(TrimtabError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(pages.SignInNeeded, pages.to_sign_in)
    app.add_exception_handler(Exception, _on_bug)
    app.middleware("http")(_guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts), www_redirect=False)
    return app


async def _guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse a large or slow body and a foreign page's form, and set the security headers on every answer."""
    refused = await _refusal(request)
    response = await answer(request) if refused is None else _error(refused)
    return _secured(response)


async def _refusal(request: Request) -> TrimtabError | None:
    announced = request.headers.get("content-length")
    if request.method in ("POST", "PATCH", "PUT"):
        if announced is None or not (announced.isascii() and announced.isdigit() and len(announced) < 20):
            return InvalidRequest("The request has no Content-Length.", hint="Send the body in one piece.")
        if _is_foreign(request.headers):
            return PermissionDenied("Another site's page sent this.", hint="Sign in on the page itself.")
    if announced is not None and len(announced) < 20 and int(announced) > MAX_BODY_BYTES:
        return RequestTooLarge(f"The body has {announced} bytes; the limit is {MAX_BODY_BYTES}.")
    try:
        await asyncio.wait_for(request.body(), BODY_TIMEOUT_S)
    except TimeoutError:
        return InvalidRequest(f"The body did not arrive within {BODY_TIMEOUT_S:g} s.")
    return None


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that another origin made this request."""
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _secured(response: Response) -> Response:
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _on_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, TrimtabError)
    return _told(request, exc)


def _on_invalid(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    first = exc.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _told(request, InvalidRequest(f"{where}: {first['msg']}.", param=where))


def _on_http(request: Request, exc: Exception) -> Response:
    """Answer what FastAPI itself refuses, such as a wrong method, in the common form."""
    assert isinstance(exc, HTTPException)
    error = InvalidRequest(f"{request.method} {request.scope['path'][:100]}: {exc.detail}.")
    response = _error(error)
    response.status_code = exc.status_code
    response.headers.update(exc.headers or {})
    return response


def _on_bug(request: Request, exc: Exception) -> Response:
    """Say nothing of a bug; the server logs it with its traceback."""
    return _secured(_error(TrimtabError("Something failed inside the control API; its log has the details.")))


def _told(request: Request, error: TrimtabError) -> Response:
    """Return an error as a page to a person, as JSON to a program."""
    path = request.scope["path"]
    if path.startswith("/api/") or path.endswith((".json", ".csv")):
        return _error(error)
    return render("error.html", status_of(error), message=error.message, hint=error.hint)


def _error(error: TrimtabError) -> Response:
    return Response(body_of(error, Api.CHAT_COMPLETIONS), status_of(error), media_type="application/json")
