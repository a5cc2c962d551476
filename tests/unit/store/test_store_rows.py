import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.store_rig import call

from trimtab.core import CallRecord, CallStatus, StoreMode
from trimtab.store.rows import clean, pack, row_of, to_ms, to_us, unpack
from trimtab.store.tables import calls


def test_a_row_has_the_columns_of_the_table_in_their_order() -> None:
    texts = {name: name for name in CallRecord.__struct_fields__ if isinstance(getattr(call(), name), str)}
    row = dict(zip(calls.columns.keys(), row_of(call(**texts)), strict=True))

    assert {name: row[name] for name in texts} == texts
    names = ("day", "latency_us", "input_tokens", "output_tokens", "cost_nano_usd", "http_status")
    assert [row[name] for name in names] == [20_000, 12_500, 100, 20, 1500, 200]
    assert row["ttft_us"] is row["attempts"] is row["quality_fraction"] is None


def test_every_field_of_a_call_is_a_column() -> None:
    computed = {"usage", "latency_ms", "ttft_ms"}
    assert set(CallRecord.__struct_fields__) - computed <= set(calls.columns.keys())


@given(st.text())
def test_cleaned_text_can_be_stored_and_clean_text_stays(text: str) -> None:
    cleaned = clean(text)

    assert cleaned is not None
    assert "\x00" not in cleaned
    assert cleaned.encode().decode() == cleaned == clean(cleaned)


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_storable_text_is_not_changed(text: str) -> None:
    assert clean(text) == text


def test_an_enum_member_becomes_its_plain_value() -> None:
    assert type(clean(CallStatus.OK)) is str
    assert clean(StoreMode.FULL) == "full"


@pytest.mark.parametrize(("ms", "us"), [(None, None), (0.0, 0), (1.0004, 1000), (1.0006, 1001), (1e9, 10**12)])
def test_durations_are_kept_to_the_microsecond(ms: float | None, us: int | None) -> None:
    assert to_us(ms) == us
    assert to_ms(us) == pytest.approx(ms, abs=0.001)


@given(st.binary(max_size=5000))
def test_a_packed_body_comes_back(body: bytes) -> None:
    assert unpack(pack(body)) == body


def test_nothing_packed_is_nothing() -> None:
    assert (pack(None), unpack(None)) == (None, None)


def frame_claiming(n_bytes: int) -> bytes:
    """Return a zstd frame without content whose head claims a size."""
    return b"\x28\xb5\x2f\xfd\xe0" + n_bytes.to_bytes(8, "little") + b"\x01\x00\x00"


def test_a_stored_frame_that_claims_to_be_huge_is_not_unpacked() -> None:
    assert unpack(frame_claiming(0)) == b""
    with pytest.raises(ValueError, match="claims to be larger"):
        unpack(frame_claiming(2**40))
