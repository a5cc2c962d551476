"""Random calls through the whole gateway while its providers fail at random: nothing asked may break a rule.

The rules are written again here from the requirement, from what the test itself put into the call; nothing that the
gateway decided is believed.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import pytest
from tests.support.gateway_rig import (
    SSE,
    Answer,
    ListReply,
    Outcome,
    Rig,
    body_of,
    chat_answer,
    delta,
    failing,
    stream_answer,
)

from trimtab.catalog import Capability, ModelCard, Pool
from trimtab.core import CallStatus
from trimtab.core.errors import UpstreamError, UpstreamTimeout
from trimtab.gateway import Caller, GatewaySettings, UpstreamRequest
from trimtab.routing import replay

MODES = ("auto", "fixed", "capability", "eco", "regulated")
LABELS = ("public", "internal", "confidential", "restricted")
OPTIONAL: tuple[Capability, ...] = ("tools", "vision", "json_object", "json_schema")
SECRET = "sk-proj-4fjK29dkfLs93kdLwP01"
CARD_NUMBER = "4111 1111 1111 1111"
MAX_ATTEMPTS = 4


@dataclass
class House:
    """One rig, and what its policy says in words the test can check."""

    rig: Rig
    mode: str
    label: str | None
    denied: tuple[str, ...]
    confidential_needs_approval: bool
    narrows: bool
    """Whether a call that names a model gets that one or none."""
    rng: random.Random


@dataclass
class Sent:
    """One call, and what the test knows of it."""

    fields: dict[str, Any]  # JSON values
    headers: dict[str, str]
    caller: Caller
    requested: str | None
    level: int
    needs: set[Capability]
    reply: ListReply = field(default_factory=ListReply)


def random_card(rng: random.Random, provider: str, model: str) -> ModelCard:
    return ModelCard(
        provider=provider,
        model=model,
        boundary=rng.choice(("inside", "outside")),
        is_approved=rng.random() < 0.5,
        capabilities=frozenset(rng.sample(OPTIONAL, rng.randint(1, 4))) | {"chat", "streaming"},
        capability_rank=rng.choice((None, rng.randint(1, 9))),
        energy_wh_per_mtok=rng.choice((None, rng.random() * 1_000)),
    )


def random_house(rng: random.Random, mode: str) -> House:
    """A pool, a policy in that mode and providers that fail as ``rng`` says."""
    pool = Pool.of(random_card(rng, rng.choice(("a", "b", "c")), f"m{i}") for i in range(rng.randint(2, 9)))
    label = rng.choice((None, *LABELS))
    denied = tuple(name for name in pool.cards if rng.random() < 0.15)
    needs_approval = rng.random() < 0.5
    terms = [f"mode: {mode}", f"preset: {rng.choice(('balanced', 'max-quality', 'eco'))}"]
    terms += [f"sensitivity: {label}"] if label else []
    terms += [f"models: {{deny: {list(denied)}}}"] if denied else []
    terms += [f"prefer: [{rng.choice(list(pool.cards))!r}]"] if rng.random() < 0.5 else []
    narrows = rng.random() < 0.5
    terms += [f"requested_model: {'narrows' if narrows else 'hint'}"]
    text = "policy: fuzz\norganisation: {" + ", ".join(terms) + "}\n"
    if needs_approval:
        text += "rules: [{id: r1, when: {sensitivity: confidential}, then: {require: {approved: true}}}]\n"
    rig = Rig(text, pool=pool, script=lambda request: random_answer(rng, request), settings=SETTINGS)
    return House(rig, mode, label, denied, needs_approval, narrows, rng)


SETTINGS = GatewaySettings(max_attempts=MAX_ATTEMPTS)


def random_answer(rng: random.Random, request: UpstreamRequest) -> Answer | Exception:
    if rng.random() < 0.5:
        return stream_answer("Hi") if request.is_stream else chat_answer()
    if rng.random() < 0.3:
        return rng.choice((UpstreamError("refused"), UpstreamTimeout("late")))
    if rng.random() < 0.3:
        return Answer([*[delta("x")] * rng.randint(0, 2), UpstreamError("cut")], headers=SSE)
    return failing(rng.choice((400, 401, 403, 404, 408, 422, 429, 500, 503, 529)))


def random_call(house: House) -> Sent:
    rng, pool = house.rng, house.rig.rulebook.pool
    fields: dict[str, Any] = {"stream": rng.random() < 0.5, "model": "auto"}
    needs: set[Capability] = set()
    requested = rng.choice(list(pool.cards)) if rng.random() < 0.25 else None
    if requested is not None:
        fields["model"] = requested
    if rng.random() < 0.2:
        fields["tools"] = [{"type": "function", "function": {"name": "f"}}]
        needs.add("tools")
    if rng.random() < 0.2:
        fields["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
        needs.add("json_schema")
    content = rng.choice(("", "", SECRET, CARD_NUMBER))
    fields["text"] = f"Hello {content}"
    headers = {"x-trimtab-mode": rng.choice(MODES)} if rng.random() < 0.4 else {}
    call_label = rng.choice(LABELS) if rng.random() < 0.5 else None
    headers |= {"x-trimtab-sensitivity": call_label} if call_label else {}
    caller = random_caller(rng)
    labels = [LABELS.index(one) for one in (house.label, call_label, caller.sensitivity) if one is not None]
    found = {SECRET: 3, CARD_NUMBER: 2}.get(content, 0)
    level = max(*labels, found, 0) if labels else 3
    return Sent(fields, headers, caller, requested, level, needs, ListReply(before_send=random_leaving(rng)))


def random_caller(rng: random.Random) -> Caller:
    return Caller(
        key_id=f"k{rng.randint(0, 3)}",
        app="fuzz",
        sensitivity=rng.choice((None, None, *LABELS)),
        models=rng.choice(((), (), ("a:*", "b:*"), ("*:m1", "*:m2", "*:m3"))),
    )


def random_leaving(rng: random.Random) -> Any:  # a callback or None
    async def leave(chunk: bytes) -> None:
        raise asyncio.CancelledError

    return leave if rng.random() < 0.05 else None


def violations(house: House, sent: Sent, outcome: Outcome, asked: list[str]) -> list[str]:
    """Return what is wrong with a served call, each rule from what the test put in."""
    if len(outcome.entries) != 1:
        return [f"{len(outcome.entries)} records"]
    found = [f"{name}: {wrong}" for name in asked for wrong in objections(house, sent, name)]
    if asked != outcome.tried or len(set(asked)) != len(asked) or len(asked) > MAX_ATTEMPTS:
        found.append(f"asked {asked}, recorded {outcome.tried}")
    if outcome.call.sensitivity < sent.level:
        found.append(f"level {outcome.call.sensitivity}, and {sent.level} was put in")
    return found + record_violations(house, outcome)


def objections(house: House, sent: Sent, name: str) -> list[str]:
    """Return why that model should not have been asked."""
    card = house.rig.rulebook.pool.cards[name]
    globs = sent.caller.models
    is_regulated = "regulated" in (house.mode, sent.headers.get("x-trimtab-mode"))
    checks = {
        "outside the boundary, and the call is restricted": sent.level >= 3 and card.boundary != "inside",
        "not approved, and the mode is regulated": is_regulated and not card.is_approved,
        "not approved for confidential content": house.confidential_needs_approval
        and sent.level == 2
        and not card.is_approved,
        "denied": name in house.denied,
        "not among the key's models": bool(globs) and not any(fnmatchcase(name, glob) for glob in globs),
        "not the model that the call names": house.narrows and sent.requested not in (None, name),
        "not able": not sent.needs <= card.capabilities,
    }
    return [reason for reason, is_wrong in checks.items() if is_wrong]


def record_violations(house: House, outcome: Outcome) -> list[str]:
    """Return what is wrong between the record, its decision and what happened."""
    call, decision = outcome.call, house.rig.decision_of(outcome.call)
    order = [name for name in (decision.model, *decision.failovers) if name is not None]
    found = []
    if replay(decision) != decision.model:
        found.append("the record does not replay to its model")
    if outcome.tried != order[: len(outcome.tried)]:
        found.append(f"tried {outcome.tried}, decided {order}")
    if call.model != (outcome.tried[-1] if outcome.tried else None):
        found.append(f"answered by {call.model}, tried {outcome.tried}")
    if (call.status == CallStatus.REFUSED) != (decision.model is None):
        found.append(f"status {call.status} for {decision.model}")
    if outcome.error is None and not outcome.reply.is_ended:
        found.append("no error and no end")
    return found


async def served(house: House, sent: Sent) -> tuple[Outcome, list[str]]:
    """Serve one call; return it with the models that were really asked, in order."""
    asked: list[str] = []
    for provider in house.rig.providers.values():
        provider.asked.clear()
        provider.responses.clear()
        provider.unavailable = {"m2"} if house.rng.random() < 0.1 else set()
        provider.on_asked = lambda name, request: asked.append(f"{name}:{request.model}")
    fields = dict(sent.fields)
    body = body_of(fields.pop("text"), **fields)
    outcome = await house.rig.call(body, headers=sent.headers, caller=sent.caller, reply=sent.reply)
    house.rig.recorder.entries.clear()
    return outcome, asked


async def fuzz(seed: str, n_calls: int) -> Counter[str]:
    """Serve random calls over every mode; return how they ended."""
    rng, endings = random.Random(seed), Counter[str]()
    n_houses = max(20, n_calls // 500)
    for index in range(n_houses):
        house = random_house(rng, MODES[index % len(MODES)])
        for _ in range(n_calls // n_houses):
            sent = random_call(house)
            outcome, asked = await served(house, sent)
            assert violations(house, sent, outcome, asked) == [], (house.rig.rulebook.policy, sent)
            endings[outcome.call.status] += 1
            endings["failed over"] += len(asked) > 1
            endings["restricted and asked"] += sent.level >= 3 and len(asked) > 0
    return endings


@pytest.mark.parametrize("seed", ["route", "shrink"])
async def test_promise_1_ten_thousand_calls_in_every_mode_stay_inside_whatever_fails(seed: str) -> None:
    endings = await fuzz(seed, 5_000)

    assert min(endings[status] for status in ("ok", "error", "cancelled", "refused")) > 50
    assert min(endings["failed over"], endings["restricted and asked"]) > 300


@pytest.mark.slow
async def test_promise_1_a_hundred_thousand_served_calls() -> None:
    endings = await fuzz("tune", 100_000)

    assert sum(endings[status] for status in CallStatus) == 100_000


def a_house_with(boundary: str) -> tuple[House, str]:
    """The first random house with such a model, and its name."""
    houses = (random_house(random.Random(seed), "auto") for seed in range(100))
    return next((h, card.name) for h in houses for card in h.rig.rulebook.pool if card.boundary == boundary)


async def test_the_fuzz_notices_a_model_outside() -> None:
    house, outside = a_house_with("outside")
    sent = random_call(house)
    sent.level = 3
    outcome, _ = await served(house, sent)

    assert any("outside the boundary" in found for found in violations(house, sent, outcome, [outside]))
