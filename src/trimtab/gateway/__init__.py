"""The call's way: admit → choose → reserve → ask → relay → settle and record."""

from trimtab.gateway.admission import SCOPES, Caller, KeyRing, Scope, require_scope, secret_from
from trimtab.gateway.budgets import BudgetKeeper, LeaseStore
from trimtab.gateway.calls import RECORDED_COST_USD, RECORDED_SCORE, Header, Inbound, Reply
from trimtab.gateway.choosing import Choice, Chooser, Evidence, Rulebook
from trimtab.gateway.limits import RateLimiter
from trimtab.gateway.measurements import MEASURED_CALLS, Measurements, Speed
from trimtab.gateway.metrics import SHARED_FOLDER, Metrics
from trimtab.gateway.serving import Gateway, GatewaySettings, Recorder
from trimtab.gateway.upstream import Provider, UpstreamRequest, UpstreamResponse

__all__ = [
    "MEASURED_CALLS",
    "RECORDED_COST_USD",
    "RECORDED_SCORE",
    "SCOPES",
    "SHARED_FOLDER",
    "BudgetKeeper",
    "Caller",
    "Choice",
    "Chooser",
    "Evidence",
    "Gateway",
    "GatewaySettings",
    "Header",
    "Inbound",
    "KeyRing",
    "LeaseStore",
    "Measurements",
    "Metrics",
    "Provider",
    "RateLimiter",
    "Recorder",
    "Reply",
    "Rulebook",
    "Scope",
    "Speed",
    "UpstreamRequest",
    "UpstreamResponse",
    "require_scope",
    "secret_from",
]
