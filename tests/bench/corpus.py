"""The mixed corpus: 40 types by Zipf's law, each with a payload schema of its own of 4 to 24 fields.

Real buses look like this: nested objects, arrays, nulls, and fields whose type differs from event to event.
"""

import datetime as dt
import random
import uuid
from pathlib import Path

import msgspec

_TYPES = 40
_START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def write_mixed(path: Path, count: int, seed: int = 7) -> None:
    """Write `count` CloudEvents as NDJSON, about 580 bytes each."""
    rnd = random.Random(seed)
    schemas = [_schema(number) for number in range(_TYPES)]
    weights = [1 / (number + 1) for number in range(_TYPES)]
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for index in range(count):
            kind = rnd.choices(range(_TYPES), weights)[0]
            data = {name: _value(rnd, shape) for name, shape in schemas[kind]}
            data["status"] = rnd.choice([200, 404, 500])
            data["latencyMs"] = int(rnd.expovariate(1 / 80))
            data["state"] = rnd.choice(["Running", "Error", "Stopped"])
            data["message"] = f"op {rnd.randrange(100)}"
            data["request"] = {"status": data["status"]}
            event = {
                "specversion": "1.0",
                "id": str(uuid.UUID(int=rnd.getrandbits(128))),
                "source": f"/svc/{kind % 9}",
                "type": f"com.acme.t{kind}",
                "subject": f"s/{rnd.randrange(20000)}",
                "time": (_START + dt.timedelta(seconds=index * 0.8)).isoformat(),
                "datacontenttype": "application/json",
                "traceparent": f"00-{rnd.getrandbits(128):032x}-{rnd.getrandbits(64):016x}-01",
                "aliyunregionid": "cn",
                "data": data,
            }
            file.write(encode(event) + b"\n")


def _schema(number: int) -> list[tuple[str, str]]:
    rnd = random.Random(number)
    return [
        (f"{rnd.choice('abcdefghij')}{rnd.randrange(30)}", rnd.choice("sifbnao"))
        for _ in range(rnd.randrange(4, 25))
    ]


def _value(rnd: random.Random, shape: str) -> object:
    match shape:
        case "s":
            return f"v{rnd.randrange(1000)}"
        case "i":
            return rnd.randrange(10**6)
        case "f":
            return round(rnd.random() * 100, 3)
        case "b":
            return rnd.random() < 0.5
        case "n":
            return None if rnd.random() < 0.3 else rnd.choice(["1", 1, 1.5])
        case "a":
            return [rnd.randrange(10) for _ in range(3)]
        case _:
            return {"x": rnd.randrange(10), "名": "值" + str(rnd.randrange(5))}
