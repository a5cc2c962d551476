import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case, Message, Plan, Suite, load_suite, save_suite, user_prompt

HEAD = '{"suite": "sums", "version": "1"}\n'
LINE = '{"case_id": "a", "prompt": "2 + 2 =", "expected": "4", "stratum": "routine"}\n'
TURNS = (Message(role="system", content="Be brief."), Message(role="user", content="2 + 2 =\u2028"))


def case(case_id: str, **fields: object) -> Case:
    defaults = {"messages": user_prompt("2 + 2 ="), "expected": "4", "stratum": "routine"}
    return msgspec.convert({"case_id": case_id, **defaults, **fields}, Case, from_attributes=True)


def test_a_suite_comes_back_from_its_file_with_the_same_digest(tmp_path: Path) -> None:
    turns = case("b", messages=TURNS, stratum="reasoning", task_type="math", tags=("x",))
    suite = Suite(name="sums", version="1", cases=(case("a"), turns))

    save_suite(suite, tmp_path / "s.jsonl")
    loaded = load_suite(tmp_path / "s.jsonl")

    assert (loaded, loaded.digest, loaded.strata) == (suite, suite.digest, ("reasoning", "routine"))
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]


def test_the_digest_is_of_what_is_asked_and_expected_not_of_labels_or_order() -> None:
    first, second = case("a"), case("b")
    digest = Suite(name="s", version="1", cases=(first, second)).digest

    assert Suite(name="t", version="2", cases=(second, first)).digest == digest
    changed: dict[str, object] = {
        "case_id": "c",
        "expected": "5",
        "stratum": "hard",
        "task_type": "math",
        "tags": ("x",),
        "messages": user_prompt("3 + 3 ="),
    }
    for name, value in changed.items():
        other = msgspec.structs.replace(second, **{name: value})
        assert Suite(name="s", version="1", cases=(first, other)).digest != digest, name


def test_a_default_that_is_stated_changes_no_digest() -> None:
    stated = b'{"case_id":"a","messages":[],"expected":"yes","stratum":"routine","task_type":"unknown","context":""}'
    case = msgspec.structs.replace(msgspec.json.decode(stated, type=Case), messages=user_prompt("Well?"))
    plan = msgspec.json.decode(b'{"margin":0.02,"alpha":0.05,"judge_floor":0.7}', type=Plan)
    silent = Case(case_id="a", messages=user_prompt("Well?"), expected="yes", stratum="routine")

    assert (case, plan) == (silent, Plan())
    assert (
        Suite(name="s", version="1", cases=(case,), plan=plan).digest
        == Suite(name="s", version="1", cases=(silent,)).digest
    )


@given(st.text(), st.text())
def test_any_text_of_a_prompt_and_an_answer_has_a_digest(prompt: str, expected: str) -> None:
    if prompt.isascii():
        suite = Suite(name="s", version="1", cases=(case("a", messages=user_prompt(prompt), expected=expected),))
        assert re.fullmatch("[0-9a-f]{64}", suite.digest)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "the first line is"),
        (LINE, 1, "missing required field `suite`|unknown field"),
        (HEAD + LINE + "{\n", 3, "truncated"),
        (HEAD + "\n" + LINE.replace("expected", "expects"), 3, "expect"),
        (HEAD + LINE.replace('"4"', "4"), 2, r"Expected `str`, got `int` - at `\$\.expected`"),
        (HEAD + LINE + LINE, 3, "'a' is used twice"),
        (HEAD + LINE.replace('"prompt": "2 + 2 =", ', ""), 2, "either a prompt or messages"),
        (HEAD + LINE.replace('"routine"', '" "'), 2, "no stratum"),
        (HEAD + LINE.replace('"prompt": "2 + 2 ="', '"messages": []'), 2, "asks nothing"),
        (HEAD + LINE.replace('"a"', '""'), 2, "no case_id"),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=problem) as caught:
        load_suite(path)

    assert f"{path}:{line})" in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_not_there_or_has_no_case_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(HEAD)

    for name, problem in (("nowhere.jsonl", "cannot be read"), ("s.jsonl", "has no case")):
        with pytest.raises(ConfigurationError, match=problem):
            load_suite(tmp_path / name)


def test_a_suite_made_in_memory_follows_the_same_rules() -> None:
    for cases in ((case("a"), case("a")), (case(""),), (case("a", messages=()),)):
        with pytest.raises(ConfigurationError):
            Suite(name="s", version="1", cases=cases)
