"""Read-only pages for people. Nothing here changes anything but the visitor's own session."""

import asyncio
import hashlib
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response

from trimtab.control import Operator
from trimtab.core import GATEWAY, CallRecord
from trimtab.core.errors import AuthenticationFailed, NotFound
from trimtab.server.control import tables
from trimtab.server.control.auth import COOKIE, SESSION_S
from trimtab.server.control.inputs import (
    AppQuery,
    DeskOf,
    LimitQuery,
    ModelQuery,
    SourceQuery,
    StatusQuery,
    WorkloadQuery,
)
from trimtab.server.control.tables import as_csv, as_json
from trimtab.server.control.templating import render, static_file
from trimtab.store import CallFilter

router = APIRouter(include_in_schema=False)

MAX_AUDIT = 1000
ALL = "all"
"""The source that stands for every one of them."""


class SignInNeeded(Exception):
    """The page needs a session."""


def to_sign_in(request: Request, exc: Exception) -> Response:
    """Send the visitor to the sign-in page."""
    return Response(status_code=303, headers={"location": "/login"})


def _signed_in(request: Request) -> Operator:
    operator: Operator | None = request.app.state.sessions.operator(request.cookies.get(COOKIE))
    if operator is None:
        raise SignInNeeded
    return operator


_signed_in.permission = "page"  # type: ignore[attr-defined]  # read by the test that no route goes without one
SignedIn = Annotated[Operator, Depends(_signed_in)]


@router.get("/healthz")
def healthz() -> Response:
    """Alive."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/static/style.css")
def style(request: Request) -> Response:
    """The one stylesheet."""
    return _static(request, "style.css", "text/css")


@router.get("/static/icon.svg")
def icon(request: Request) -> Response:
    """What stands on the browser's tab."""
    return _static(request, "icon.svg", "image/svg+xml")


def _static(request: Request, name: str, media_type: str) -> Response:
    text = static_file(name)
    tag = f'"{hashlib.sha256(text).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "max-age=0, must-revalidate"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type=media_type, headers=headers)


@router.get("/login")
def login_form() -> Response:
    """The sign-in form."""
    return render("login.html", error=None)


@router.post("/login")
async def login(request: Request) -> Response:
    """Begin a session."""
    form = parse_qs((await request.body()).decode("latin-1"), max_num_fields=4)
    secret = form.get("secret", [""])[0].strip()
    try:
        cookie = await asyncio.to_thread(request.app.state.sessions.begin, secret)
    except AuthenticationFailed as exc:
        return render("login.html", 401, error=f"{exc.message} {exc.hint or ''}")
    response = Response(status_code=303, headers={"location": "/"})
    response.set_cookie(COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="strict", path="/")
    return response


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session."""
    request.app.state.sessions.end(request.cookies.get(COOKIE))
    response = Response(status_code=303, headers={"location": "/login"})
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


@router.get("/")
def overview(operator: SignedIn, desk: DeskOf, source: SourceQuery = None) -> Response:
    """What runs here and what it costs: the gateway's calls where imported ones lie beside them, unless asked."""
    is_mixed = desk.is_mixed(operator)
    chosen = GATEWAY if is_mixed and source is None else _source(source)
    return render("overview.html", is_mixed=is_mixed, **desk.overview(operator, chosen))


def _source(wanted: str | None) -> str | None:
    return None if wanted in ("", ALL) else wanted


@router.get("/workloads.json")
def workloads_json(operator: SignedIn, desk: DeskOf, source: SourceQuery = None) -> Response:
    """The overview's workloads."""
    return as_json(desk.workloads(operator, _source(source)))


@router.get("/workloads.csv")
def workloads_csv(operator: SignedIn, desk: DeskOf, source: SourceQuery = None) -> Response:
    """The overview's workloads, a row for each model."""
    return as_csv(tables.workload_rows(desk.workloads(operator, _source(source))), "workloads")


@router.get("/days.json")
def days_json(operator: SignedIn, desk: DeskOf, source: SourceQuery = None) -> Response:
    """The overview's days."""
    return as_json(desk.days(operator, _source(source)))


@router.get("/days.csv")
def days_csv(operator: SignedIn, desk: DeskOf, source: SourceQuery = None) -> Response:
    """The overview's days."""
    return as_csv(tables.day_rows(desk.days(operator, _source(source))), "days")


@router.get("/models.json")
def models_json(operator: SignedIn, desk: DeskOf) -> Response:
    """The overview's pool."""
    return as_json(desk.models())


@router.get("/models.csv")
def models_csv(operator: SignedIn, desk: DeskOf) -> Response:
    """The overview's pool."""
    return as_csv(tables.model_rows(desk.models()), "models")


@router.get("/workloads/{name}.json")
def workload_json(operator: SignedIn, desk: DeskOf, name: str) -> Response:
    """A workload's page, whole."""
    return as_json(desk.explain_workload(operator, name))


@router.get("/workloads/{name}.csv")
def workload_csv(operator: SignedIn, desk: DeskOf, name: str) -> Response:
    """A workload's models."""
    return as_csv(tables.share_rows(desk.explain_workload(operator, name).models), "workload")


@router.get("/workloads/{name}/candidates.csv")
def workload_candidates(operator: SignedIn, desk: DeskOf, name: str) -> Response:
    """The models of a workload's decision, those left and those removed."""
    return as_csv(tables.candidate_rows(desk.explain_workload(operator, name).current), "candidates")


@router.get("/workloads/{name}")
def workload(operator: SignedIn, desk: DeskOf, name: str) -> Response:
    """Why a workload is on its model."""
    return render("workload.html", shown=desk.explain_workload(operator, name))


def _filter(
    workload: WorkloadQuery = None,
    model: ModelQuery = None,
    status: StatusQuery = None,
    app: AppQuery = None,
    source: SourceQuery = None,
) -> CallFilter:
    """A field of the form that was left empty is no condition."""
    return CallFilter(
        workload=workload or None,
        model=model or None,
        status=status or None,
        app=app or None,
        source=_source(source),
    )


Chosen = Annotated[CallFilter, Depends(_filter)]


def _found(operator: SignedIn, desk: DeskOf, chosen: Chosen, limit: LimitQuery = 100) -> list[CallRecord]:
    return desk.calls(operator, chosen, limit=limit)


Found = Annotated[list[CallRecord], Depends(_found)]


@router.get("/calls")
def calls(operator: SignedIn, request: Request, chosen: Chosen, rows: Found, limit: LimitQuery = 100) -> Response:
    """The newest calls."""
    return render("calls.html", calls=rows, chosen=chosen, limit=limit, query_text=request.url.query)


@router.get("/calls.json")
def calls_json(operator: SignedIn, rows: Found) -> Response:
    """The newest calls, with the same query."""
    return as_json(rows)


@router.get("/calls.csv")
def calls_csv(operator: SignedIn, rows: Found) -> Response:
    """The newest calls, with the same query."""
    return tables.calls_as_csv(rows)


@router.get("/calls/{call_id}.json")
def call_json(operator: SignedIn, desk: DeskOf, call_id: str) -> Response:
    """A call's page, whole."""
    return as_json(desk.explain_call(operator, call_id))


@router.get("/calls/{call_id}.csv")
def call_csv(operator: SignedIn, desk: DeskOf, call_id: str) -> Response:
    """The models of a call's decision, those left and those removed."""
    return as_csv(tables.candidate_rows(desk.explain_call(operator, call_id).current), "candidates")


@router.get("/calls/{call_id}")
def call(operator: SignedIn, desk: DeskOf, call_id: str) -> Response:
    """One call's evidence."""
    return render("call.html", shown=desk.explain_call(operator, call_id))


@router.get("/policy")
def policy(operator: SignedIn, desk: DeskOf) -> Response:
    """The policy in force and its history."""
    return render(
        "policy.html", current=desk.policies.current(), versions=desk.policies.versions(), refused=desk.refused()
    )


@router.get("/policy.json")
def policy_json(operator: SignedIn, desk: DeskOf) -> Response:
    """The policy in force, whole, and its history."""
    return as_json(
        {"current": desk.policies.current(), "versions": desk.policies.versions(), "refused": desk.refused()}
    )


@router.get("/policy.csv")
def policy_csv(operator: SignedIn, desk: DeskOf) -> Response:
    """The policy's history."""
    return as_csv(tables.version_rows(desk.policies.versions()), "policy")


@router.get("/audit")
def audit(operator: SignedIn, desk: DeskOf) -> Response:
    """Every change of policies and keys."""
    return render("audit.html", records=desk.audit_records(200), verdict=desk.verify_audit())


@router.get("/audit.json")
def audit_json(operator: SignedIn, desk: DeskOf) -> Response:
    """The newest changes, and whether the chain holds."""
    return as_json({"verdict": desk.verify_audit(), "records": desk.audit_records(MAX_AUDIT)})


@router.get("/audit.csv")
def audit_csv(operator: SignedIn, desk: DeskOf) -> Response:
    """The newest changes."""
    return as_csv(tables.audit_rows(desk.audit_records(MAX_AUDIT)), "audit")


@router.get("/{path:path}")
def missing(operator: SignedIn, path: str) -> Response:
    """Anything else."""
    raise NotFound(f"There is no page /{path[:100]}.", hint="Start at /.")
