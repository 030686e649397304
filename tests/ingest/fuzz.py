"""`python -m tests.ingest.fuzz SEED COUNT`: mutated events, the scan against the exact check.

With NUMBA_BOUNDSCHECK=1 (and a NUMBA_CACHE_DIR of its own) the scan looks whether each place is in its array.
"""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

from eventcenter.errors import EventCenterError
from ingest.validation import Checked, Limits, check_array, check_lines, scanner
from ingest.validation.exact import line_of_json
from tests.support.scan import unloaded

USUAL = Limits()
TIGHT = Limits(
    max_nesting=6,
    max_id_length=5,
    max_source_length=9,
    max_subject_length=3,
    max_extension_name_length=4,
    max_event_bytes=400,
)
BASE = [('"specversion"', '"1.0"'), ('"source"', '"/s"'), ('"type"', '"t"')]


@dataclass(frozen=True)
class Words:
    """What events are made of."""

    texts: list[str]
    numbers: list[str]
    times: list[str]
    types: list[str]
    schemas: list[str]
    names: list[str]
    mutations: list[int]


TAME = Words(
    texts=[
        "a",
        "id",
        "名字",
        "😀",
        "é",
        '"',
        "/",
        "名" * 20,
        "a" * 31,
        "a" * 32,
        "a" * 33,
        'a"b\\c/d',
        "ࠀ",
        "\uffff",
    ],
    numbers=["0", "1", "-1", "12", "1.5", "1e5", "1E+5", "1e-3", "2147483647", "-2147483648"],
    times=[
        "2026-11-01T00:00:00Z",
        "2026-11-01t00:00:00.123z",
        "2024-02-29T23:59:59.9+23:59",
        "2000-02-29T00:00:00-08:00",
    ],
    types=[
        "application/json",
        "application/JSON",
        "text/plain",
        "a/b+json",
        "a/json ; x",
        "a/+json",
        "a/son",
    ],
    schemas=["urn:x", "http://a/b", "a:b:c", "a+b.c-d:e"],
    names=["subject", "time", "datacontenttype", "dataschema", "data", "data", "ext", "num", "a1", "zz"],
    mutations=[0] * 20 + [1],
)
WILD = Words(
    texts=[*TAME.texts, "", "\x7f", "\u0085", "\u2028", "\\", "\t", "\x01", "\ud800", "\u07ff", "\U0010ffff"],
    numbers=[
        *TAME.numbers,
        *("-0", "01", "1.", ".5", "+1", "1e", "1e+", "-", "2147483648", "-2147483649", "9" * 30),
        *("1." + "3" * 50, "NaN", "Infinity", "-Infinity", "0x1", "1_0", "٣"),
    ],
    times=[
        *TAME.times,
        *("2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-01T24:00:00Z", "2026-11-01T00:00:60Z"),
        *("2016-12-31T23:59:60Z", "2026-11-01T00:00:00", "2026-11-01T00:00:00+0800", "2026-11-01T00:00:00.Z"),
        *("2026-11-01T00:00:00.1", "2026-11-01 00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"),
        *(
            "2026-11-01T00:00:00-24:00",
            "2026-11-01T00:00:00+08:60",
            "2026-11-31T00:00:00Z",
            "1900-02-29T00:00:00Z",
        ),
        *("2026-11-01T00:00:00." + "1" * 60 + "Z", "2026-11-01T00:00:00ZZ", "2026-00-10T00:00:00Z"),
    ],
    types=[
        *TAME.types,
        "json",
        "a/",
        "/b",
        "a/b/c",
        "a/jsons",
        "a/b; é",
        "a/b\x7f",
        "a b/c",
        "a/b x",
        "名/b",
    ],
    schemas=[*TAME.schemas, "x", "1:x", "a:", "http://a b", "a:é", 'urn:x"', "A:\\", "u:^"],
    names=[
        *TAME.names,
        *(
            "data_base64",
            "Bad",
            "x-y",
            "",
            "id",
            "specversion",
            "source",
            "e" * 64,
            "e" * 65,
            "dat",
            "datax",
            "名",
        ),
        *("\\u0061", "traceparent", "abcdefgh", "abcdefghi"),
    ],
    mutations=[0, 0, 0, 1, 1, 2, 4],
)
ENCODED = [
    '"AAE="',
    '""',
    '"AA=="',
    '"A==="',
    '"===="',
    '"AAAA"',
    "null",
    "1",
    '"AA\\u003d="',
    '"AA=A"',
    '"A-_A"',
]
ODD = ["nul", "truex", "TRUE", '"', '"\\x"', '"\\u12"', '"\\ud83d\\ude00"', '"\\ude00"', '"\\ud83dx"']
INSERTED = b'"\\{}[],: \t\r\x00u/0123456789abcdeftn\xc2\xe0\xed\xf0\xf4\x80\xbf'


class Maker:
    """Makes events of words by chance."""

    def __init__(self, chance: random.Random, words: Words) -> None:
        self._chance = chance
        self._words = words

    def event(self) -> bytes:
        """An event in JSON, or nearly."""
        chance = self._chance
        identity = chance.choice(["1", "1", "1", "名", "a" * 128, "a" * 129, "é" * 128, "12345", "123456"])
        pairs = [*BASE, ('"id"', self._string(identity))]
        for _ in range(chance.choice([0, 1, 1, 2, 2, 3, 4, 6])):
            pairs.insert(chance.randrange(len(pairs) + 1), self._member())
        if chance.random() < 0.02:
            pairs += [(f'"k{number}"', '"v"') for number in range(chance.choice([20, 27, 40, 64, 65, 70]))]
        if self._words is TAME or chance.random() < 0.5:
            pairs = list(dict(pairs).items())
        space = self._space() if chance.random() < 0.3 else ""
        text = f",{space}".join(f"{name}{space}:{space}{value}" for name, value in pairs)
        raw = f"{self._space()}{{{space}{text}{space}}}{self._space()}".encode("utf-8", "surrogatepass")
        return self._mutated(raw)

    def _member(self) -> tuple[str, str]:
        chance, words = self._chance, self._words
        name = chance.choice(words.names)
        texts = {"time": words.times, "datacontenttype": words.types, "dataschema": words.schemas}
        if name in texts and chance.random() < 0.9:
            value = self._string(chance.choice(texts[name]))
        elif name == "data_base64":
            value = chance.choice(ENCODED)
        elif name == "data":
            value = self._deep() if chance.random() < 0.03 else self._value(0)
        elif words is WILD and chance.random() < 0.5:
            value = self._value(0)
        else:
            value = chance.choice(["1", "true", "null", self._string(chance.choice(words.texts))])
        return f'"{name}"', value

    def _string(self, text: str) -> str:
        way = self._chance.random()
        if way < 0.5:
            return json.dumps(text, ensure_ascii=False)
        if way < 0.8:
            return json.dumps(text)
        if way < 0.9:
            return json.dumps(text, ensure_ascii=False).replace("/", "\\/")
        escaped = (
            f"\\u{ord(character):04x}"
            if ord(character) < 0x10000 and self._chance.random() < 0.5
            else json.dumps(character)[1:-1]
            for character in text
        )
        return f'"{"".join(escaped)}"'

    def _space(self) -> str:
        return self._chance.choice([*[""] * 12, " ", "  ", "\t", "\r", " \r\t"])

    def _value(self, depth: int) -> str:
        chance = self._chance
        way = chance.random()
        if depth > 3 or way < 0.55:
            return self._scalar()
        if way < 0.8:
            few = [0, 1, 2, 3, 4]
            count = chance.choice([5, 9, 33, 34, 70] if chance.random() < 0.15 else few)
            keys = [
                chance.choice(self._words.texts) + str(n if chance.random() < 0.98 else 0)
                for n in range(count)
            ]
            if self._words is TAME:
                keys = list(dict.fromkeys(keys))
            below = depth + 1 if count < 9 else 9
            parts = [
                f"{self._space()}{self._string(key)}{self._space()}:{self._space()}{self._value(below)}"
                for key in keys
            ]
            return "{" + self._space() + ",".join(parts) + "}"
        inner = [
            f"{self._space()}{self._value(depth + 1)}{self._space()}" for _ in range(chance.randrange(4))
        ]
        return "[" + ",".join(inner) + "]"

    def _scalar(self) -> str:
        way = self._chance.random()
        if way < 0.4:
            return self._string(self._chance.choice(self._words.texts))
        if way < 0.75:
            return self._chance.choice(self._words.numbers)
        odd = self._words is WILD and self._chance.random() < 0.15
        return self._chance.choice(ODD if odd else ["true", "false", "null"])

    def _deep(self) -> str:
        levels = self._chance.choice([4, 5, 6, 7, 62, 63, 64, 65, 255, 256, 257, 400])
        opening, closing = self._chance.choice([("[", "]"), ('{"a":', "}")])
        return opening * levels + "1" + closing * levels

    def _mutated(self, raw: bytes) -> bytes:
        chance, changed = self._chance, bytearray(raw)
        for _ in range(chance.choice(self._words.mutations)):
            if not changed:
                break
            at, other = chance.randrange(len(changed)), chance.randrange(len(changed))
            changes: list[Callable[[], bytes | bytearray]] = [
                lambda: bytes([chance.randrange(256)]) + changed[at + 1 :],  # noqa: B023 called at once
                lambda: changed[at + 1 :],  # noqa: B023
                lambda: bytes([chance.choice(INSERTED)]) + changed[at:],  # noqa: B023
                lambda: b"",
                lambda: changed[min(at, other) : max(at, other)][:60] + changed[at:],  # noqa: B023
                lambda: b"\xef\xbb\xbf" + changed[at:],  # noqa: B023
                lambda: bytes([changed[at] ^ 1 << chance.randrange(8)]) + changed[at + 1 :],  # noqa: B023
            ]
            changed[at:] = chance.choice(changes)()
        return bytes(changed).replace(b"\n", b"")


def compare(*, seed: int, count: int) -> tuple[int, int]:
    """How many events the exact check takes, and of how many the scan is sure. Errors name the seed."""
    chance = random.Random(seed)
    makers = [Maker(chance, TAME)] * 2 + [Maker(chance, WILD)]
    good = sure = done = 0
    while done < count:
        maker, limits = chance.choice(makers), chance.choice([USUAL, TIGHT])
        parts = [maker.event() for _ in range(chance.choice([1, 2, 50, 300]))]
        done += len(parts)
        lines = [part for part in parts if part.strip(b" \t\r")]
        exact = [_exact(part, limits) for part in lines]
        body = b"\n".join(parts) + chance.choice([b"", b"\n", b"\n\n"])
        scanned = scanner.scan(body, scanner.LINES, limits)
        assert scanned is not None
        assert scanned.count == len(lines), (seed, body)
        doubts = {doubt.index for doubt in scanned.doubts}
        taken = [line for index, line in enumerate(exact) if index not in doubts]
        assert bytes(scanned.lines) == b"".join(line or b"refused" for line in taken), (seed, body)
        assert [body[doubt.start : doubt.end] for doubt in scanned.doubts] == [
            lines[n] for n in sorted(doubts)
        ]
        good, sure = good + sum(line is not None for line in exact), sure + len(taken)
        checked = check_lines(body, limits)
        assert checked.payload == b"".join(line for line in exact if line is not None), (seed, body)
        assert [reject.index for reject in checked.rejects] == [
            n for n, line in enumerate(exact) if line is None
        ]
        array = (
            chance.choice([b"[", b" [", b"\n["])
            + chance.choice([b",", b" , ", b",\n\t"]).join(lines)
            + b"]\r\n"
        )
        if chance.random() < 0.3:
            array = array.replace(b":", b": \n").replace(b",", b",\n ")
        with_scan = _array(array, limits)
        with unloaded():
            assert with_scan == _array(array, limits), (seed, array)
    return good, sure


def _exact(raw: bytes, limits: Limits) -> bytes | None:
    try:
        return line_of_json(raw, limits)
    except EventCenterError:
        return None


def _array(body: bytes, limits: Limits) -> Checked | str:
    try:
        return check_array(body, limits)
    except EventCenterError as error:
        return str(error)


if __name__ == "__main__":
    scanner.load()
    good, sure = compare(seed=int(sys.argv[1]), count=int(sys.argv[2]))
    sys.stdout.write(f"seed {sys.argv[1]}: the exact check takes {good}, the scan is sure of {sure}\n")
