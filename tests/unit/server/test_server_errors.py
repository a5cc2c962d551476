"""The table of errors."""

import json

import pytest

from trimtab.core import Api
from trimtab.core import errors as tree
from trimtab.server.errors import body_of, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (tree.InvalidRequest("x"), 400),
        (tree.RequestTooLarge("x"), 413),
        (tree.AuthenticationFailed("x"), 401),
        (tree.PermissionDenied("x"), 403),
        (tree.PolicyRefused("x"), 403),
        (tree.UnknownModel("x"), 404),
        (tree.BudgetExhausted("x"), 402),
        (tree.RateLimited("x"), 429),
        (tree.UpstreamTimeout("x"), 504),
        (tree.UpstreamUnavailable("x"), 503),
        (tree.UpstreamError("x"), 502),
        (tree.PolicyMissing("x"), 503),
        (tree.TrimtabError("x"), 500),
    ],
)
def test_each_error_has_its_status(error: tree.TrimtabError, status: int) -> None:
    assert status_of(error) == status


def test_openai_form_keeps_param_and_code_and_appends_the_hint() -> None:
    error = tree.InvalidRequest("Bad n.", hint="Use 1.", param="n")
    assert json.loads(body_of(error, Api.CHAT_COMPLETIONS)) == {
        "error": {"message": "Bad n. Use 1.", "type": "invalid_request_error", "param": "n", "code": "invalid_request"}
    }


def test_anthropic_form_names_the_error_type() -> None:
    body = json.loads(body_of(tree.RateLimited("Slow down."), Api.MESSAGES))
    assert body == {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}}
