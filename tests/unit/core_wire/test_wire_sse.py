"""Rules of event splitting and of the stream filter."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.sse import EventReader, StreamFilter, data_of, split_events

TEXT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a \\"usage\\":{ b"}}],"usage":null}\n\n'
LAST = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}\n\n'
AZURE = b'data: {"id":"c","choices":[],"prompt_filter_results":[{"prompt_index":0}],"usage":null}\n\n'
PING = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
STREAM = b"\xef\xbb\xbf" + PING + AZURE + TEXT + PING + TEXT + LAST + USAGE + DONE
WITHOUT = STREAM.replace(USAGE, b"")


def _filtered(chunks: list[bytes]) -> bytes:
    stream_filter = StreamFilter()
    return b"".join([*(stream_filter.feed(chunk) for chunk in chunks), stream_filter.flush()])


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def _with_line_ends(stream: bytes, ending: bytes) -> bytes:
    return stream.replace(b"\n", ending)


@given(cuts=st.lists(st.integers(0, 2000)), ending=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_only_the_usage_chunk_disappears_however_the_stream_is_cut(cuts: list[int], ending: bytes) -> None:
    assert _filtered(_cut(_with_line_ends(STREAM, ending), cuts)) == _with_line_ends(WITHOUT, ending)


@given(
    chunks=st.lists(
        st.sampled_from([b"data: ", b"\n", b"\r", b"\r\n", b'{"choices":', b"[]", b',"usage":{}', b"}", b"[{"])
    )
)
def test_any_fragments_give_the_same_output_as_the_whole(chunks: list[bytes]) -> None:
    assert _filtered(chunks) == _filtered([b"".join(chunks)])


def test_each_chunk_is_forwarded_as_it_comes() -> None:
    stream_filter = StreamFilter()
    events = [PING, AZURE, TEXT, LAST, USAGE, DONE]

    assert [stream_filter.feed(event) for event in events] == [PING, AZURE, TEXT, LAST, b"", DONE]


def test_the_start_of_a_content_chunk_is_not_held_back() -> None:
    stream_filter = StreamFilter()
    half = TEXT[:50]

    assert stream_filter.feed(half) == half
    assert stream_filter.feed(TEXT[50:] + USAGE + DONE) == TEXT[50:] + DONE


def test_an_unfinished_event_that_may_be_the_usage_waits_for_its_end() -> None:
    stream_filter = StreamFilter()

    assert stream_filter.feed(TEXT + USAGE[:20]) == TEXT
    assert stream_filter.feed(USAGE[20:]) == b""
    assert stream_filter.flush() == b""


def test_a_usage_chunk_over_several_data_lines_is_recognised() -> None:
    assert _filtered([b'data: {"choices": [ ],\ndata: "usage": {"prompt_tokens": 1}}\n\n' + DONE]) == DONE


def test_a_usage_chunk_without_its_blank_line_at_the_end_is_removed_and_other_rests_are_kept() -> None:
    assert _filtered([TEXT, USAGE.rstrip()]) == TEXT
    assert _filtered([TEXT, b"data: [DONE]"]) == TEXT + b"data: [DONE]"


def test_an_unfinished_event_longer_than_any_usage_is_not_held() -> None:
    stream_filter = StreamFilter()
    long = b'data: {"padding":"' + b"x" * StreamFilter.MAX_USAGE_EVENT_BYTES

    assert stream_filter.feed(long) == long
    assert stream_filter.feed(b'"}\n\n' + USAGE) == b'"}\n\n'


@given(cuts=st.lists(st.integers(0, 2000)), ending=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_the_reader_gives_the_same_events_however_the_stream_is_cut(cuts: list[int], ending: bytes) -> None:
    stream = _with_line_ends(STREAM, ending)
    reader = EventReader()
    events = [event for chunk in _cut(stream, cuts) for event in reader.feed(chunk)]
    rest = reader.flush()

    assert [*events, *([rest] if rest else [])] == split_events(stream)
    assert b"".join(split_events(stream)) == stream
    assert len(split_events(stream)) == 8


@given(cuts=st.lists(st.integers(0, 400)))
def test_an_event_over_the_limit_is_skipped_and_counted_and_the_next_one_is_read(cuts: list[int]) -> None:
    reader = EventReader(max_event_bytes=50)
    stream = b"data: a\n\n" + b"data: " + b"x" * 200 + b"\n\n" + b"data: b\n\n"

    assert [event for chunk in _cut(stream, cuts) for event in reader.feed(chunk)] == [b"data: a\n\n", b"data: b\n\n"]
    assert reader.n_skipped == 1


def test_data_drops_one_space_comments_other_fields_and_the_bom() -> None:
    assert data_of(b"\xef\xbb\xbf: hi\r\nevent: message_stop\r\ndata: {\r\ndata:  1}\r\nid: 7\r\n\r\n") == b"{\n 1}"
    assert data_of(PING) == b""
    assert data_of(b'data: {"a":1}\n\n') == b'{"a":1}'
