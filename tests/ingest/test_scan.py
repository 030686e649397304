"""The scan at its edges: bytes, blocks, levels, keys and bodies of all sizes."""

import itertools
import json
from collections.abc import Iterable

import pytest

from eventcenter.errors import EventCenterError, TooLarge
from ingest.validation import Checked, Limits, check_array, check_lines, scanner
from ingest.validation.exact import line_of_json
from ingest.validation.limits import MAX_EVENTS_PER_BODY
from ingest.validation.scan import places
from tests.support.scan import sure, unloaded

pytestmark = pytest.mark.usefixtures("scan")
LIMITS = Limits()
BASE = b'{"specversion":"1.0","id":"1","source":"/s","type":"t"'
GOOD = BASE + b"}"
FULL = (
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"订\\u5355","time":"2026-11-01T08:30:00.5+08:00",'
    '"datacontenttype":"application\\/json","dataschema":"urn:x","ext":"\\ud83d\\ude00","num":-12,"yes":true,'
    '"data":{"a":[1.5e-7,"\\n\\u00e9名",{"b":null}],"c":false} }'
).encode()


def with_data(data: bytes) -> bytes:
    return BASE + b',"data":' + data + b"}"


def exact(raw: bytes, limits: Limits = LIMITS) -> bytes | None:
    try:
        return line_of_json(raw, limits)
    except EventCenterError:
        return None


def doubtful(parts: list[bytes], limits: Limits = LIMITS) -> set[int]:
    scanned = scanner.scan(b"\n".join(parts), scanner.LINES, limits)
    assert scanned is not None
    assert scanned.count == len(parts)
    return {doubt.index for doubt in scanned.doubts}


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def sequences() -> Iterable[bytes]:
    for first, second in itertools.product(range(0x80, 0x100), range(0x100)):
        yield bytes((first, second))
    for first, second, third in itertools.product(
        range(0xE0, 0xF0), range(0x70, 0x100), (0x7F, 0x80, 0xBF, 0xC0)
    ):
        yield bytes((first, second, third))
    for first, second, last in itertools.product(
        range(0xF0, 0x100),
        range(0x80, 0x100, 5),
        (b"\x80\x80", b"\xbf\xbf", b"\x7f\x80", b"\x80\xc0", b"\x80"),
    ):
        yield bytes((first, second)) + last


@pytest.mark.parametrize("place", ['"data":"%"', '"data":{"%":1}', '"subject":"%"', '"ext":"%"'])
def test_characters_are_those_of_utf8(place: str) -> None:
    left, right = place.encode().split(b"%")
    remaining = iter(sequences())
    while batch := list(itertools.islice(remaining, 20_000)):
        texts = [text for text in batch if not set(text) & {0x22, 0x5C} and min(text) >= 0x20]
        found = doubtful([BASE + b"," + left + text + right + b"}" for text in texts])
        for index, text in enumerate(texts):
            if not is_utf8(text):
                assert index in found, text
            elif '"data"' in place or not any(0x7F <= ord(character) <= 0x9F for character in text.decode()):
                assert index not in found, text
            else:
                assert index in found, text


@pytest.mark.parametrize("place", ['"data":"%"', '"data":{"%":1}', '"subject":"%"', '"ext":"%"'])
def test_escapes_are_those_of_json(place: str) -> None:
    left, right = place.encode().split(b"%")
    escapes = [b"\\" + bytes([byte]) for byte in range(256) if byte != 0x0A]
    escapes += [
        b"\\u%b" % (b"00e9"[:at] + bytes([byte]) + b"00e9"[at + 1 :])
        for at in range(4)
        for byte in b"/09:@AFG`afg\xff"
    ]
    escapes += [
        b"\\u%04x" % code for code in (*range(0xA2), 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF)
    ]
    halves = (b"\\ud83d", b"\\ude00", b"x", b"\\n")
    escapes += [b"".join(pair) for pair in itertools.product(halves, repeat=3)]
    events = [BASE + b"," + left + text + right + b"}" for text in escapes]
    found = doubtful(events)
    for index, event in enumerate(events):
        if index not in found:
            assert sure(event) == exact(event) is not None
    accepted = [event for event in events if exact(event) is not None]
    # A key may be written in several ways when it is escaped by number: then the exact check compares.
    if "{" not in place:
        assert [events[index] for index in range(len(events)) if index not in found] == accepted


@pytest.mark.parametrize("filler", ["x", "é"])
def test_a_string_may_end_anywhere_in_a_block(filler: str) -> None:
    for length in range(2 * places.BLOCK + 6):
        text = filler * length
        for more in (
            f'"data":"{text}"',
            f'"data":{{"{text}":1}}',
            f'"data":"{text}\\n{text}"',
            f'"subject":"x{text}"',
            f'"ext":"{text}\\"{text}"',
        ):
            event = BASE + b"," + more.encode() + b"}"
            assert sure(event) == exact(event) is not None


def test_an_event_cut_off_anywhere_is_in_doubt() -> None:
    assert sure(FULL) == exact(FULL)
    for end in range(1, len(FULL)):
        assert sure(FULL[:end]) is None
        body = GOOD + b"\n" + FULL[:end]
        assert check_lines(body, LIMITS).payload == exact(GOOD)
        assert check_lines(b"%b\n%b" % (FULL[:end].strip(), GOOD), LIMITS).payload == exact(GOOD)


def test_an_array_cut_off_anywhere_is_refused_as_without_the_scan() -> None:
    body = b" [ %b , 1 , %b ] " % (FULL, GOOD)
    for end in range(len(body.rstrip())):
        with pytest.raises(EventCenterError) as scanned:
            check_array(body[:end], LIMITS)
        with unloaded(), pytest.raises(EventCenterError) as otherwise:
            check_array(body[:end], LIMITS)
        assert str(scanned.value) == str(otherwise.value)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":[', "]}]")])
def test_nesting_has_its_bound(opening: str, closing: str) -> None:
    step = opening.count("[") + opening.count("{")
    for levels in range(60, 67):
        event = with_data((opening * levels + "1" + closing * levels).encode())
        assert (sure(event) is not None) == (exact(event) is not None) == (1 + step * levels <= 64)
    generous = Limits(max_nesting=100_000, max_event_bytes=1 << 20)
    for levels in (200, 256, 257, 5000):
        event = with_data((opening * levels + "1" + closing * levels).encode())
        assert (sure(event, generous) is not None) == (step * levels <= places.MOST_LEVELS)


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 64, 699, 700, 701, 1500, 4000])
def test_a_key_that_stands_twice_is_found_among_any_number(count: int) -> None:
    limits = Limits(max_event_bytes=1 << 24)
    keys = [f"key{number * 7919}" for number in range(count)]
    alike = [keys, [f"{key}x" for key in keys], [key[::-1] for key in keys]]
    single = ["{" + ",".join(f'"{key}":{{"{key}":0}}' for key in each) + "}" for each in alike]
    # The same keys in neighbours, in an object inside and around are no repetition.
    good = [*single, f"[{single[0]},{single[0]}]", f'{{"a":{single[0]},"b":{single[0]}}}']
    for text in good:
        event = with_data(text.encode())
        assert sure(event, limits) == exact(event, limits) is not None
    for place in {0, count // 2, count - 1}:
        for end in (f',"{keys[place]}":1}}', f',"more":{{"a":1}},"{keys[place]}":1}}'):
            text = single[0][:-1] + end
            for around in (text, f"[{text}]", f'{{"a":[{{"b":{text}}}]}}'):
                event = with_data(around.encode())
                assert sure(event, limits) is None
                assert exact(event, limits) is None


def test_more_keys_than_can_be_held_are_in_doubt() -> None:
    limits = Limits(max_event_bytes=1 << 24)
    event = with_data(json.dumps(dict.fromkeys(map(str, range(places.MOST_LARGE + 1000)))).encode())
    assert sure(event, limits) is None
    assert check_lines(event, limits).payload == exact(event, limits)


def test_extension_attributes_have_their_bound() -> None:
    for count in (1, places.MOST_EXTENSIONS, places.MOST_EXTENSIONS + 1, 300):
        extensions = ",".join(f'"e{number * 37 % 1009}":{number}' for number in range(count))
        event = BASE + b"," + extensions.encode() + b"}"
        assert (sure(event) is None) == (count > places.MOST_EXTENSIONS)
        assert check_lines(event, LIMITS).payload == exact(event)


@pytest.mark.parametrize(
    ("body", "indexes"),
    [
        (b"", []),
        (b"\n", []),
        (b" \t\r\n\r\n\n", []),
        (GOOD, [0]),
        (GOOD + b"\n", [0]),
        (b"\r\n" + GOOD + b"\r\n\r\n \n" + GOOD + b"\r", [0, 1]),
        (b"\xef\xbb\xbf" + GOOD + b"\n" + GOOD, [1]),
        (GOOD + b"\n\x00\n" + GOOD + b"\x00\n" + GOOD, [0, 3]),
        (b"\x00", []),
        (GOOD + GOOD + b"\n" + GOOD, [1]),
        (GOOD + b"x\n[" + GOOD + b"]\n1\nnull\n" + GOOD, [4]),
    ],
)
def test_lines_count_where_something_stands_in_them(body: bytes, indexes: list[int]) -> None:
    for checked in (check_lines(body, LIMITS), _without(body)):
        assert checked.payload == b"".join(itertools.repeat(exact(GOOD) or b"", len(indexes)))
        total = checked.count + len(checked.rejects)
        assert sorted({*range(total)} - {reject.index for reject in checked.rejects}) == indexes


def _without(body: bytes) -> Checked:
    with unloaded():
        return check_lines(body, LIMITS)


@pytest.mark.parametrize(
    "first", [b'{"a":{"b":1,"c":{"d":[2]}}}', b"[[{}],{}]", b'"x"', b"NaN", b"-Infinity", b"[NaN]"]
)
def test_what_is_no_event_in_an_array_is_refused_alone(first: bytes) -> None:
    for body in (b"[%b,%b,%b]" % (first, GOOD, first), b"[\n%b ,\n%b\t,%b]\n" % (first, GOOD, first)):
        checked = check_array(body, LIMITS)
        assert checked.payload == exact(GOOD)
        assert [(reject.index, reject.data) for reject in checked.rejects] == [(0, first), (2, first)]


def test_a_body_has_at_most_so_many_events() -> None:
    most = MAX_EVENTS_PER_BODY
    assert check_lines(b"\n".join([GOOD] * most), LIMITS).count == most
    assert check_array(b"[%b]" % b",".join([GOOD] * most), LIMITS).count == most
    with pytest.raises(TooLarge, match="too many"):
        check_lines(b"\n".join([GOOD] * (most + 1)), LIMITS)
    with pytest.raises(TooLarge, match="too many"):
        check_array(b"[%b]" % b",".join([GOOD] * (most + 1)), LIMITS)


def test_the_largest_event_is_measured_with_its_line() -> None:
    limits = Limits(max_event_bytes=len(GOOD) + 1)
    assert doubtful([GOOD, GOOD + b" ", b" " + GOOD + b" ", GOOD[:-1] + b"  }"], limits) == {2, 3}
    checked = check_array(b"[%b,  %b ,%b]" % (GOOD, GOOD, GOOD[:-1] + b"  }"), limits)
    assert [reject.index for reject in checked.rejects] == [2]


def test_bodies_of_all_sizes_leave_nothing_behind() -> None:
    event = with_data(json.dumps("x" * 200_000).encode())
    for count in (1, 30, 2, 0, 12, 1):
        body = b"\n".join([event] * count)
        assert check_lines(body, LIMITS).payload == (exact(event) or b"") * count
        cut = body[:-3]
        assert check_lines(cut, LIMITS).count == max(count - 1, 0)


def test_a_body_in_the_room_is_not_copied_and_read_alike() -> None:
    for body in (FULL, GOOD * 3, b"\n".join([FULL] * 5000), FULL[:-1], b""):
        memory = scanner.room(len(body))
        memory[:] = body
        with unloaded():
            expected = check_lines(body, LIMITS)
        assert check_lines(memory, LIMITS) == expected
