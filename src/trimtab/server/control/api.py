"""``/api``: what operators may see and change, as JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from trimtab.control import (
    APP_PATTERN,
    DATA_SCOPES,
    MAX_DAYS,
    MAX_NAME,
    MAX_RATE,
    USD_PATTERN,
    Applied,
    CallExplanation,
    DaySummary,
    KeyChange,
    KeyRequest,
    MadeKey,
    ModelRow,
    PolicyCheck,
    PolicyDiff,
    WorkloadExplanation,
    WorkloadSummary,
)
from trimtab.core import CallRecord
from trimtab.core.errors import NotFound
from trimtab.server.control.auth import (
    AnyOperator,
    AuditReader,
    CallsReader,
    KeysReader,
    KeysWriter,
    ModelsReader,
    PolicyReader,
    PolicyWriter,
)
from trimtab.server.control.inputs import AppQuery, DeskOf, LimitQuery, ModelQuery, StatusQuery, WorkloadQuery
from trimtab.server.control.tables import as_json
from trimtab.store import AuditRecord, AuditVerdict, CallFilter, PolicyVersion, StoredKey

router = APIRouter(prefix="/api")

App = Annotated[str, Field(pattern=f"^{APP_PATTERN}$")]
Rate = Annotated[int, Field(ge=1, le=MAX_RATE)]
Usd = Annotated[str, Field(pattern=f"^{USD_PATTERN}$", max_length=19)]
Glob = Annotated[str, Field(min_length=1, max_length=256)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PolicyText(_Body):
    """A policy as YAML."""

    text: str = Field(max_length=1_000_000)
    origin: str = Field(default="api", max_length=200)


class RollbackBody(_Body):
    """Which version to put in force again; the previous one when left out."""

    version: str | None = Field(default=None, max_length=64)


class NewKey(_Body):
    """A key to make. Its scopes, models and limits may not exceed the maker's own."""

    name: str = Field(min_length=1, max_length=MAX_NAME)
    app: App = "default"
    scopes: tuple[Annotated[str, Field(max_length=40)], ...] = Field(default=DATA_SCOPES, min_length=1, max_length=20)
    models: tuple[Glob, ...] = Field(default=(), max_length=200)
    calls_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    usd_per_day: Usd | None = None
    usd_per_month: Usd | None = None
    sensitivity: Annotated[str, Field(max_length=20)] | None = None
    expires_in_days: int | None = Field(default=None, ge=1, le=MAX_DAYS)


class ChangedKey(_Body):
    """Limits to change; a field left out stays, and ``null`` takes the limit away."""

    calls_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    usd_per_day: Usd | None = None
    usd_per_month: Usd | None = None


@router.get("/calls")
def list_calls(
    operator: CallsReader,
    desk: DeskOf,
    workload: WorkloadQuery = None,
    model: ModelQuery = None,
    status: StatusQuery = None,
    app: AppQuery = None,
    since_us: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
    limit: LimitQuery = 100,
) -> Response:
    """List calls, newest first. An app's key sees that app's calls only; words are compared whole."""
    chosen = CallFilter(workload=workload, model=model, status=status, app=app, since_us=since_us)
    return as_json(desk.calls(operator, chosen, limit=limit))


@router.get("/calls/{call_id}")
def show_call(operator: CallsReader, desk: DeskOf, call_id: str) -> Response:
    """One call with its decision, explained."""
    return as_json(desk.explain_call(operator, call_id))


@router.get("/workloads")
def list_workloads(operator: CallsReader, desk: DeskOf) -> Response:
    """Workloads with volume, cost and quality, most calls first."""
    return as_json(desk.workloads(operator))


@router.get("/workloads/{name}")
def show_workload(operator: CallsReader, desk: DeskOf, name: str) -> Response:
    """Why this workload is on its model."""
    return as_json(desk.explain_workload(operator, name))


@router.get("/days")
def list_days(operator: CallsReader, desk: DeskOf) -> Response:
    """Calls and cost of each UTC day, newest first."""
    return as_json(desk.days(operator))


@router.get("/models")
def list_models(operator: ModelsReader, desk: DeskOf) -> Response:
    """The pool with prices and boundaries."""
    return as_json(desk.models())


@router.get("/policy")
def current_policy(operator: PolicyReader, desk: DeskOf) -> Response:
    """The policy in force."""
    current = desk.policies.current()
    if current is None:
        raise NotFound("No policy is in force.", hint="Apply one with `trimtab policy apply FILE`.")
    return as_json(current)


@router.get("/policy/versions")
def policy_versions(operator: PolicyReader, desk: DeskOf) -> Response:
    """Every version ever put in force, newest first."""
    return as_json(desk.policies.versions())


@router.post("/policy/lint")
def lint(operator: PolicyReader, desk: DeskOf, body: PolicyText) -> Response:
    """Check a policy without putting it in force."""
    return as_json(desk.policies.check(body.text, origin=body.origin))


@router.post("/policy/diff")
def diff(operator: PolicyReader, desk: DeskOf, body: PolicyText) -> Response:
    """What a policy would change: in the file, and in recorded decisions."""
    return as_json(desk.diff(body.text, origin=body.origin, app=operator.app))


@router.post("/policy/apply")
def apply(operator: PolicyWriter, desk: DeskOf, body: PolicyText) -> Response:
    """Check a policy and put it in force."""
    return as_json(desk.policies.apply(body.text, origin=body.origin, actor=operator.actor))


@router.post("/policy/rollback")
def rollback(operator: PolicyWriter, desk: DeskOf, body: RollbackBody) -> Response:
    """Put an earlier version in force again."""
    return as_json(desk.policies.rollback(actor=operator.actor, version=body.version))


@router.get("/keys")
def list_keys(operator: KeysReader, desk: DeskOf) -> Response:
    """Keys, without their secrets."""
    return as_json(desk.keys.list_for(operator))


@router.post("/keys")
def create_key(operator: KeysWriter, desk: DeskOf, body: NewKey) -> Response:
    """Make a key; its secret is in this answer and nowhere else."""
    return as_json(desk.keys.create(operator, KeyRequest(**body.model_dump())), 201)


@router.patch("/keys/{key_id}")
def update_key(operator: KeysWriter, desk: DeskOf, key_id: str, body: ChangedKey) -> Response:
    """Change a key's limits. Nobody changes their own key, or another app's."""
    return as_json(desk.keys.update(operator, key_id, KeyChange(**body.model_dump(exclude_unset=True))))


@router.delete("/keys/{key_id}")
def revoke_key(operator: KeysWriter, desk: DeskOf, key_id: str) -> Response:
    """Revoke a key; workers refuse it within a second."""
    desk.keys.revoke(operator, key_id)
    return Response(status_code=204)


@router.get("/audit")
def list_audit(operator: AuditReader, desk: DeskOf, limit: LimitQuery = 100) -> Response:
    """The newest changes of policies and keys, of every app."""
    return as_json(desk.audit_records(limit))


@router.get("/audit/verify")
def verify_audit(operator: AuditReader, desk: DeskOf) -> Response:
    """Check the audit chain."""
    return as_json(desk.verify_audit())


@router.get("/openapi.json")
def openapi(operator: AnyOperator, request: Request) -> Response:
    """This document."""
    return as_json(request.app.openapi())


@router.get("/{path:path}", include_in_schema=False)
def missing(operator: AnyOperator, path: str) -> Response:
    """Anything else."""
    raise NotFound(f"There is no route /api/{path[:100]}.", hint="/api/openapi.json lists them.")


ANSWERS: dict[str, Any] = {  # Any: types of every kind
    "list_calls": list[CallRecord],
    "show_call": CallExplanation,
    "list_workloads": list[WorkloadSummary],
    "show_workload": WorkloadExplanation,
    "list_days": list[DaySummary],
    "list_models": list[ModelRow],
    "current_policy": PolicyVersion,
    "policy_versions": list[PolicyVersion],
    "lint": PolicyCheck,
    "diff": PolicyDiff,
    "apply": Applied,
    "rollback": Applied,
    "list_keys": list[StoredKey],
    "create_key": MadeKey,
    "update_key": StoredKey,
    "list_audit": list[AuditRecord],
    "verify_audit": AuditVerdict,
}
"""What each route answers, by the name of its function; its schema stands in the document."""
