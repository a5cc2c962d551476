"""Requests in their wire forms: what is read, what is refused early, and what keeps its bytes."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core import Api
from trimtab.core.errors import InvalidRequest
from trimtab.core.messages import MAX_COUNT, MAX_MESSAGES, MAX_NESTING, WireRequest, is_nested_deeper, text_of

CHAT, MESSAGES, EMBEDDINGS = Api.CHAT_COMPLETIONS, Api.MESSAGES, Api.EMBEDDINGS
HELLO = [{"role": "user", "content": "Hello"}]


def request(api: Api = CHAT, /, **fields: Any) -> WireRequest:  # Any: JSON values
    content = {"input": "Hello"} if api is EMBEDDINGS else {"messages": HELLO}
    return WireRequest(api, json.dumps({"model": "auto", **content, **fields}).encode())


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"7", b"{", b'{"model":}', b"{} {}", b"\xef\xbb\xbf{}", b"\x00", b'{"a":NaN}'],
)
def test_what_is_not_a_json_object_is_the_callers_mistake(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="not a JSON object"):
        WireRequest(CHAT, body)


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(InvalidRequest, match="byte 10 is not UTF-8"):
        WireRequest(CHAT, b'{"model":"\xff"}')


def test_half_of_a_surrogate_pair_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidRequest) as refused:
        WireRequest(CHAT, b'{"model":"auto","messages":[{"role":"user","content":"\\ud83d"}]}').messages  # noqa: B018
    assert refused.value.message


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 7}, "model"),
    ({"model": "x" * 257}, "model"),
    ({"stream": "yes"}, "stream"),
    ({"stream": 1}, "stream"),
    ({"messages": None}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": "Hello"}, "messages"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG)
def test_a_wrong_type_is_named_with_its_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize("name", ["model", "messages"])
def test_a_missing_field_is_named(name: str) -> None:
    fields = {"model": "auto", "messages": HELLO}
    del fields[name]
    with pytest.raises(InvalidRequest, match=name):
        WireRequest(CHAT, json.dumps(fields).encode())


@pytest.mark.parametrize("messages", [[], [1], [None], [{}], [{"role": 1}], [HELLO], [*HELLO, "x"]])
def test_messages_that_are_none_are_refused_when_they_are_read(messages: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="messages"):
        request(messages=messages).messages  # noqa: B018


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "9", [], {}, MAX_COUNT + 1, 10**400, 1e400])
@pytest.mark.parametrize("name", ["n", "max_tokens", "max_completion_tokens"])
def test_attack_14_huge_and_odd_numbers_are_refused_by_name(name: str, value: object) -> None:
    body = request(**{name: 111_222_333}).body.replace(b"111222333", json.dumps(value).encode())
    with pytest.raises(InvalidRequest) as refused:
        _ = (WireRequest(CHAT, body).n_choices, WireRequest(CHAT, body).max_output_tokens)
    assert refused.value.message


def test_attack_14_a_number_of_a_million_digits_in_an_unread_field_costs_nothing() -> None:
    body = request(x=1).body.replace(b'"x": 1', b'"x": ' + b"9" * 1_000_000)

    assert WireRequest(CHAT, body).rewritten({"model": "m"}).count(b"9") == 1_000_000


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("n_levels", [MAX_NESTING, 1_000, 100_000])
def test_attack_14_deep_json_is_refused(opening: bytes, n_levels: int) -> None:
    closing = bytes({ord("["): ord("]"), ord("{"): ord("}")}[byte] for byte in opening[::-1] if byte in b"[{")
    deep = opening * n_levels + b"1" + closing * n_levels
    with pytest.raises(InvalidRequest, match=r"nested|deep|recursion"):
        WireRequest(CHAT, b'{"model":"auto","messages":[],"x":' + deep + b"}")


def test_nesting_up_to_the_limit_is_served() -> None:
    deep = b"[" * (MAX_NESTING - 1) + b"]" * (MAX_NESTING - 1)

    assert WireRequest(CHAT, b'{"model":"auto","messages":[],"x":' + deep + b"}").model == "auto"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max((depth_of(one) for one in inside), default=0)


@given(JSON, st.integers(0, 6), st.booleans())
def test_the_fast_count_of_levels_agrees_with_a_walk(value: object, levels: int, is_ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")

    assert is_nested_deeper(body, levels) == (depth_of(value) > levels)


@pytest.mark.parametrize("text", ['a"[[[', "\\", '\\"', '"\\\\"{{{', "[" * 500])
def test_brackets_inside_strings_are_no_levels(text: str) -> None:
    assert not is_nested_deeper(json.dumps([text]).encode(), 1)


def test_attack_15_a_million_messages_are_refused_before_they_are_decoded() -> None:
    body = b'{"model":"auto","messages":[' + b",".join([b'{"role":"user","content":"x"}'] * 1_000_000) + b"]}"
    started_s = time.process_time()

    with pytest.raises(InvalidRequest, match="1000000 entries"):
        WireRequest(CHAT, body)

    shallow_s = time.process_time() - started_s
    started_s = time.process_time()
    json.loads(body)
    assert shallow_s < time.process_time() - started_s


@pytest.mark.parametrize("unit", [b'{"[":1}', b"[" * 60 + b"]" * 60, b'"["', b'{"a":"b"}', b'"\\"["', b"[]"])
def test_attack_14_the_cost_of_counting_levels_grows_with_the_bytes_and_no_faster(unit: bytes) -> None:
    def seconds(n_bytes: int) -> float:
        body = b"[" + b",".join([unit] * (n_bytes // (len(unit) + 1))) + b"]"
        runs = []
        for _ in range(3):
            started_s = time.process_time()
            is_nested_deeper(body, MAX_NESTING)
            runs.append(time.process_time() - started_s)
        return min(runs)

    assert seconds(1_600_000) < 4 * (4 * seconds(400_000) + 0.001)


def test_attack_15_messages_that_hide_from_the_count_are_refused_when_read() -> None:
    hidden = b",".join([b'{"r\\u006fle":"user"}'] * (MAX_MESSAGES + 1))
    request = WireRequest(CHAT, b'{"model":"auto","messages":[' + hidden + b"]}")

    with pytest.raises(InvalidRequest, match=f"{MAX_MESSAGES + 1} entries"):
        request.messages  # noqa: B018


def test_many_words_role_in_one_message_are_no_messages() -> None:
    text = json.dumps([{"role": "user", "content": '"role"' * (MAX_MESSAGES + 1)}])

    assert len(WireRequest(CHAT, b'{"model":"auto","messages":' + text.encode() + b"}").messages) == 1


KEYS = st.sampled_from(["__proto__", "constructor", "prototype", "toString", "__class__", "$where", "a.b", ""])


@given(st.dictionaries(KEYS, JSON, min_size=1))
def test_attack_20_odd_keys_are_plain_keys_and_pass_untouched(fields: dict[str, Any]) -> None:
    inner = {"role": "user", "content": "Hello", **fields}
    read = WireRequest(CHAT, json.dumps({"model": "auto", "messages": [inner], **fields}).encode())

    assert read.messages == [json.loads(json.dumps(inner))]
    assert (read.last_user_text, read.n_choices, read.is_stream) == ("Hello", 1, False)
    assert json.loads(read.rewritten({"model": "m"})) == {"messages": [inner], **fields, "model": "m"}


SPACES = st.text(alphabet=" \t\r\n", max_size=3)


@given(
    st.dictionaries(st.text(max_size=6).filter(lambda name: name not in {"model", "messages", "stream"}), JSON),
    SPACES,
    st.booleans(),
)
def test_unknown_fields_survive_byte_for_byte_and_in_order(fields: dict[str, Any], space: str, is_ascii: bool) -> None:
    def written(value: object) -> bytes:
        return json.dumps(value, ensure_ascii=is_ascii, indent=1).encode("utf-8", "surrogatepass")

    parts = [(name, written(value)) for name, value in ({"messages": HELLO} | fields).items()]
    members = [b'"model":"auto"', *(written(name) + space.encode() + b":" + text for name, text in parts)]
    body = b"{" + (space.encode() + b",").join(members) + b"}"

    sent = WireRequest(CHAT, body).rewritten({"model": "m"})

    places = [sent.index(text, 0) for _, text in parts]
    assert len(places) == len(parts)
    assert list(json.loads(sent)) == ["model", *(name for name, _ in parts)]
    assert json.loads(sent) == {**json.loads(body), "model": "m"}


def test_a_change_of_none_removes_a_field_and_a_new_one_comes_last() -> None:
    read = WireRequest(CHAT, b'{"a": 1e0, "model":"auto","messages":[],"b":  2}')

    assert read.rewritten({"a": None, "model": "m", "c": [1]}) == b'{"model":"m","messages":[],"b":2,"c":[1]}'


def test_of_a_field_given_twice_the_last_is_read_and_the_only_one_sent() -> None:
    body = b'{"model":"cheap","stream":true,"messages":[],"mod\\u0065l":"dear","stream":false}'

    read = WireRequest(CHAT, body)

    assert (read.model, read.is_stream) == ("dear", False)
    assert read.rewritten({"model": "m"}) == b'{"model":"m","stream":false,"messages":[]}'


@pytest.mark.parametrize(
    ("api", "fields", "limit"),
    [
        (CHAT, {}, None),
        (CHAT, {"max_tokens": 5}, 5),
        (CHAT, {"max_completion_tokens": 1, "max_tokens": 900}, 900),  # which one counts is the provider's choice
        (CHAT, {"max_completion_tokens": None, "max_tokens": 7}, 7),
        (MESSAGES, {"max_tokens": 900, "max_completion_tokens": 1}, 900),  # no such field in this form
        (MESSAGES, {"max_completion_tokens": 1}, None),
        (EMBEDDINGS, {}, None),
    ],
)
def test_attack_17_the_output_limit_is_the_largest_that_may_count(
    api: Api, fields: dict[str, int], limit: int | None
) -> None:
    assert request(api, **fields).max_output_tokens == limit


PICTURE = {"type": "image_url", "image_url": {"url": "data:,"}}
RESULT = {"type": "tool_result", "content": [{"type": "image"}, {"type": "text", "text": "seen"}]}


def test_what_routing_reads_of_a_chat() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": [{"type": "text", "text": "What"}, PICTURE, {"type": "text", "text": "is it?"}]},
        {"role": "user", "content": [PICTURE]},
    ]
    read = request(messages=messages, tools=[{}, {}], functions=[{}], n=3, response_format={"type": "json_object"})

    assert read.system_text == "Be brief.\nBe kind."
    assert read.last_user_text == "What\nis it?"  # the newest that has text
    assert (read.n_images, read.n_tools, read.n_choices, read.json_mode) == (2, 3, 3, "json_object")


def test_what_routing_reads_of_a_message_call() -> None:
    read = request(
        MESSAGES,
        system=[{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        messages=[{"role": "user", "content": [RESULT]}, {"role": "user", "content": "Go"}],
        output_config={"format": {"type": "json_schema"}},
        max_tokens=5,
    )

    assert (read.system_text, read.last_user_text) == ("Be brief.\nBe kind.", "Go")
    assert (read.n_images, read.json_mode, read.max_output_tokens) == (1, "json_schema", 5)


@pytest.mark.parametrize("given_input", ["Hello", ["Hello"], [["tokens"]], [[1, 2]], 7])
def test_embeddings_have_an_input_and_no_messages(given_input: object) -> None:
    read = request(EMBEDDINGS, input=given_input)

    assert read.messages == []
    assert read.n_images == 0
    assert isinstance(read.last_user_text, str)


@pytest.mark.parametrize("content", [None, 7, {}, True, [None], [7], [{"text": 7}], [{"type": "text"}]])
def test_content_without_text_is_empty_text(content: object) -> None:
    assert text_of(content) == ""


def test_the_estimate_of_input_tokens_is_a_quarter_of_the_bytes_and_at_least_one() -> None:
    read = request(messages=[{"role": "user", "content": "x" * 4_000}])

    assert read.estimated_input_tokens == len(read.body) // 4
    assert 1_000 <= read.estimated_input_tokens < 1_030


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_at_all_raise_anything_but_an_invalid_request(body: bytes) -> None:
    try:
        read = WireRequest(CHAT, body)
        views = (read.messages, read.system_text, read.n_tools, read.json_mode, read.max_output_tokens, read.n_choices)
        assert len(views) == 6
    except InvalidRequest:
        pass
