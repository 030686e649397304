"""The look for duplicate keys by readers made for a type finds what the strict parser finds."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.validation import keys
from ingest.validation.keys import check_data

SAMPLE = b'{"a":1,"b":{"c":[1,2],"d":{"e":"x"}},"f":null}'


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    keys._readers.clear()
    keys._seen.clear()
    yield
    keys._readers.clear()


def learn(sample: bytes = SAMPLE) -> None:
    check([sample] * 40)
    assert keys._readers["t"] is not None


def check(texts: list[bytes]) -> None:
    whole = b",".join(filter(None, texts))
    check_data(["t"] * len(texts), texts, whole, spaced=any(c in whole for c in (b"\t", b"\n", b"\r")))


def refuses(text: bytes) -> bool:
    try:
        check([text])
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2,"b":{"c":1,"d":{"e":2}},"f":3}',
        b'{"a":1,"b":{"c":1,"d":{"e":2},"c":1},"f":3}',
        b'{"a":1,"b":{"c":1,"d":{"e":2}},"f":3,"\\u0061":4}',
        # One key more and one colon that stands behind a space: the count alone would be right.
        b'{"a":1,"a":2,"b":{"c":1,"d":{"e":2}},"f" :3}',
        b'{"a":1,"a":2,"b":{"c":1,"d":{"e":2}},"f"\t:3}',
        b'{"a":1,"b":{"c":[{"x":1,"x":2}],"d":{"e":2}},"f":3}',
        b'{"a":{"z":1,"z":2},"b":{"c":1,"d":{"e":2}},"f":3}',
        b'{"a":"\xff","b":{"c":1,"d":{"e":2}},"f":3}',
        b'{"a":"\\ud800","b":{"c":1,"d":{"e":2}},"f":3}',
        b'{"a":' + b"9" * 5000 + b',"b":{"c":1,"d":{"e":2}},"f":3}',
        b'{"g":1,"g":2}',
        b'[{"a":1,"a":1}]',
    ],
)
def test_what_is_wrong_is_found_whether_known_or_not(text: bytes) -> None:
    assert refuses(text)
    learn()
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        SAMPLE,
        b'{"f":null,"b":{"d":{"e":"x"},"c":[]},"a":"\\":\\":"}',
        b'{"a":" :","b":{"c":1,"d":{"e":2}},"f":3}',
        b'{"a":{},"b":{"c":[{"x":1}],"d":{"e":2}},"f":3}',
        b'{"b":7}',
        b"[1,2]",
        b'"text"',
        b"",
    ],
)
def test_what_is_right_passes_whether_known_or_not(text: bytes) -> None:
    check([text])
    learn()
    check([text])


def test_a_type_whose_keys_change_is_left_to_the_parser() -> None:
    learn()
    check([b'{"k%d":1}' % number for number in range(20)])
    assert keys._readers["t"] is None


def test_types_without_end_are_not_learned() -> None:
    for number in range(30_000):
        check_data([f"t{number}"], [b'{"a":1}'], b'{"a":1}', spaced=False)
    assert not keys._readers
    assert len(keys._seen) <= 10_000


KEYS = st.sampled_from(['"a"', '"b"', '"c"', '"\\u0061"', '"a" ', '"\\":"'])
VALUES = st.recursive(
    st.sampled_from(["1", "null", '"x"', '"\\":"', '" :"', "[]", "{}"]),
    lambda inner: (
        st.lists(st.tuples(KEYS, inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
        )
        | st.lists(inner, max_size=2).map(lambda parts: "[" + ",".join(parts) + "]")
    ),
    max_leaves=8,
)


@given(sample=VALUES, other=VALUES)
def test_it_refuses_exactly_what_the_parser_refuses(sample: str, other: str) -> None:
    keys._readers.clear()
    keys._seen.clear()
    try:
        check([sample.encode()] * 20)
    except ValueError:
        sample = '{"a":1}'
        check([sample.encode()] * 20)
    assert refuses(other.encode()) == _repeats(other)


def _repeats(text: str) -> bool:
    found = False

    def pairs(members: list[tuple[str, object]]) -> None:
        nonlocal found
        names = [name for name, _ in members]
        found = found or len(set(names)) < len(names)

    json.loads(text, object_pairs_hook=pairs)
    return found
