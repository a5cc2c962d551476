"""The call's way: admit → choose → reserve → ask → relay → settle and record."""

from trimtab.gateway.admission import Caller, KeyRing, require_scope, secret_from
from trimtab.gateway.budgets import BudgetKeeper, LeaseStore
from trimtab.gateway.calls import Flow, Header, Inbound, Reply
from trimtab.gateway.choosing import Choice, Chooser, Evidence, NoEvidence, Rulebook
from trimtab.gateway.limits import RateLimiter
from trimtab.gateway.measurements import Measurements, Speed
from trimtab.gateway.metrics import Metrics
from trimtab.gateway.serving import Gateway, GatewaySettings, Recorder
from trimtab.gateway.upstream import Provider, UpstreamRequest, UpstreamResponse

__all__ = [
    "BudgetKeeper",
    "Caller",
    "Choice",
    "Chooser",
    "Evidence",
    "Flow",
    "Gateway",
    "GatewaySettings",
    "Header",
    "Inbound",
    "KeyRing",
    "LeaseStore",
    "Measurements",
    "Metrics",
    "NoEvidence",
    "Provider",
    "RateLimiter",
    "Recorder",
    "Reply",
    "Rulebook",
    "Speed",
    "UpstreamRequest",
    "UpstreamResponse",
    "require_scope",
    "secret_from",
]
