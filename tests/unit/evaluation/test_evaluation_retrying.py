"""What failed for a moment is asked again, what would fail again is not, and a deadline holds for all tries."""

import asyncio

import pytest
from tests.support.evaluation import suite_of

from trimtab.core.errors import InvalidRequest, PolicyRefused, RateLimited, UpstreamError, UpstreamTimeout
from trimtab.evaluation import Answer, Asked, AskRequest, Patience, Request, ask_patiently

REQUEST = Request(suite_of({"routine": 1}).cases[0])
QUICK = Patience(base_s=0.0001, max_tries=3)
YES = Answer(text="yes")


def failing(*errors: Exception) -> AskRequest:
    waiting = list(errors)

    async def ask(request: Request) -> Answer:
        if waiting:
            raise waiting.pop(0)
        return YES

    return ask


@pytest.mark.parametrize(
    "passing",
    [
        RateLimited("slow down", retry_after_s=0.001),
        UpstreamError("busy", status=503),
        UpstreamError("cut"),
        ConnectionResetError(),
    ],
)
async def test_overload_and_cuts_are_asked_again(passing: Exception) -> None:
    assert await ask_patiently(failing(passing, passing), REQUEST, QUICK) == Asked(YES, None, 3)


@pytest.mark.parametrize(
    ("final", "code"),
    [
        (UpstreamError("bad", status=400), "status_400"),
        (UpstreamError("gone", status=404), "status_404"),
        (PolicyRefused("no"), "policy_refused"),
        (InvalidRequest("no"), "invalid_request"),
    ],
)
async def test_what_would_come_again_is_not_asked_again(final: Exception, code: str) -> None:
    assert await ask_patiently(failing(final), REQUEST, QUICK) == Asked(None, code, 1)


async def test_after_the_last_try_the_failure_counts_with_its_code() -> None:
    tries = [UpstreamTimeout("late"), UpstreamError("busy", status=429), UpstreamError("busy", status=502)]

    assert await ask_patiently(failing(*tries), REQUEST, QUICK) == Asked(None, "status_502", 3)


async def test_the_deadline_ends_pauses_too() -> None:
    patient = Patience(deadline_s=0.02)

    found = await ask_patiently(failing(RateLimited("wait", retry_after_s=60.0)), REQUEST, patient)

    assert found == Asked(None, "deadline_passed", 1)


async def test_a_silent_model_is_given_up_at_the_deadline() -> None:
    async def ask(request: Request) -> Answer:
        await asyncio.sleep(60)
        return YES

    assert await ask_patiently(ask, REQUEST, Patience(deadline_s=0.02)) == Asked(None, "deadline_passed", 1)


async def test_a_pause_is_never_shorter_than_the_provider_asked_for() -> None:
    pause_s = QUICK.pause_s(1, RateLimited("wait", retry_after_s=5.0))

    assert pause_s is not None
    assert 5.0 <= pause_s < 5.1


async def test_a_bug_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await ask_patiently(failing(ZeroDivisionError()), REQUEST, QUICK)
