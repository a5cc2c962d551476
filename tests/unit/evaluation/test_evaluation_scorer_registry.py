"""Scorers are made of what suites state, and refuse the rest by name."""

import subprocess
import sys

import msgspec
import pytest

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Score, ScorerSpec, scorer_for
from trimtab.evaluation.scoring import KINDS, needed
from trimtab.evaluation.scoring.registry import JUDGES


def refusal(name: str, **options: str | float | bool | None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        scorer_for(ScorerSpec(name=name, options=options))
    return caught.value


def test_an_unknown_scorer_is_refused_with_the_closest_name_and_all_names() -> None:
    found = refusal("rouge")

    assert found.message == "No scorer is called 'rouge'."
    assert found.hint == f"Closest match: 'rouge_l'. There are: {', '.join([*KINDS, *JUDGES])}."


def test_an_unknown_option_is_refused_with_the_closest_one_and_all_options() -> None:
    found = refusal("numeric", relativ=0.1)

    assert found.message == "Scorer 'numeric' has no option 'relativ'."
    assert found.hint == "Closest match: 'relative'. It has: absolute, relative, take, percent, decimal_point."


def test_a_scorer_without_options_says_so() -> None:
    assert refusal("exact_match", case=True).hint == "It has none."


@pytest.mark.parametrize(
    ("name", "option", "value", "rule"),
    [
        ("numeric", "absolute", "much", r'\{"absolute":"much"\}: Expected `float`, got `str` - at `\$.absolute`'),
        ("numeric", "relative", -0.1, "a tolerance is a number from 0 up"),
        ("numeric", "relative", float("nan"), "a tolerance is a number from 0 up"),
        ("numeric", "take", "second", "Invalid enum value 'second'"),
        ("contains", "ignore_case", 1, "Expected `bool`, got `int`"),
        ("regex", "pattern", "(a", r"'\(a' is no regular expression of RE2: missing \)"),
        ("regex", "pattern", r"(a)\1", "is no regular expression of RE2"),
        ("chrf", "beta", 0.0, "beta is above 0"),
        ("rouge_l", "beta", -1.0, "beta is above 0"),
        ("multiple_choice", "letters", "abc", "letters are capitals"),
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_is_refused(
    name: str, option: str, value: str | float, rule: str
) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        scorer_for(ScorerSpec(name=name, options={option: value}))


def test_a_missing_package_is_named_with_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)

    found = refusal("rouge_l")

    assert found.message == "Scorer 'rouge_l' needs the package 'rapidfuzz', which is not installed."
    assert found.hint == "pip install 'trimtab[eval]'"
    with pytest.raises(ConfigurationError, match="'absent_package', which is not installed"):
        needed.load("absent_package.part", scorer="chrf")


def test_packages_are_loaded_by_the_scorer_that_needs_them_and_no_sooner() -> None:
    program = (
        "import sys\n"
        "from trimtab.evaluation import ScorerSpec, scorer_for\n"
        "heavy = {'sacrebleu', 'rapidfuzz', 'jsonschema', 'numpy'}\n"
        "scorer_for(ScorerSpec(name='numeric'))\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
        "scorer_for(ScorerSpec(name='rouge_l'))\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, after = done.stdout.splitlines()

    assert before == "[]"
    assert "sacrebleu" not in after
    assert "rapidfuzz" in after


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.0001])
def test_a_score_that_is_no_number_from_0_to_1_is_refused(value: float) -> None:
    with pytest.raises(ConfigurationError, match="a score is a number from 0 to 1"):
        Score(value=value)


def test_a_written_score_is_held_to_the_same_rule() -> None:
    assert msgspec.json.decode(b'{"value":null}', type=Score).value is None
    with pytest.raises(ConfigurationError, match="A scorer gave 2"):
        msgspec.json.decode(b'{"value":2}', type=Score)
