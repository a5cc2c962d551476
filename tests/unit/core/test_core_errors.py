"""The tree of errors."""

import pickle
import re
from collections.abc import Iterator

import pytest

from trimtab.core import errors
from trimtab.core.errors import PolicyRefused, RateLimited, TrimtabError, UpstreamTimeout


def every_kind(kind: type[TrimtabError] = TrimtabError) -> Iterator[type[TrimtabError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from every_kind(child)


KINDS = list(every_kind())


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_a_process_border_with_everything_it_says(kind: type[TrimtabError]) -> None:
    error = kind("message", hint="hint")
    error.param, error.call_id = "model", "call_1"

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert copy.__dict__ == error.__dict__
    assert str(copy) == "message"


def test_what_only_some_errors_say_crosses_too() -> None:
    slow, late = RateLimited("m", retry_after_s=1.5), UpstreamTimeout("m", status=504)

    assert pickle.loads(pickle.dumps(slow)).retry_after_s == 1.5
    assert pickle.loads(pickle.dumps(late)).status == 504


def test_every_code_is_stable_in_form_and_names_one_kind() -> None:
    codes = [kind.code for kind in KINDS]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_the_drawing_lists_every_kind_once() -> None:
    drawn = re.findall(r"^[│ ]*[├└]── (\w+)", errors.__doc__ or "", flags=re.MULTILINE)

    assert sorted(drawn) == sorted(kind.__name__ for kind in KINDS if kind is not TrimtabError)


def test_an_error_caught_by_a_wider_kind_keeps_its_own_code() -> None:
    with pytest.raises(TrimtabError) as caught:
        raise PolicyRefused("no", hint="ask")

    assert (caught.value.code, caught.value.hint) == ("policy_refused", "ask")
