"""What the leaves of wide events hold: what events are about, and pools of values, as JSON."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache

THINGS = 4000
"""Of each kind; some thousand events later the same ones come again, as in a real cluster."""

_POOL = 4096
_WORDS = (
    *("checkout", "payment", "ledger", "catalog", "search", "recommender", "session", "gateway", "notifier"),
    *("shipping", "inventory", "billing", "profile", "media", "ingest", "scheduler", "report", "fraud"),
    *("pricing", "coupon"),
)
_USES = ("logs", "backup", "assets")
_REGIONS = ("cn-hangzhou", "cn-shanghai", "us-west-2", "eu-central-1", "ap-southeast-1")
_PEOPLE = ("王芳", "李伟", "Zoë Müller", "Jürgen Groß", "Åsa Lindström", "O'Brien", "佐藤 健", "Иван Петров")
_MESSAGES = (
    'Back-off restarting failed container "app" in pod',
    "Readiness probe failed: HTTP probe failed with statuscode: 503",
    "Successfully pulled image in 1.482s (1.482s including waiting)",
    "节点磁盘压力过高，已驱逐 Pod ✂️",
    "0/12 nodes are available: 3 Insufficient cpu, 9 node(s) didn't match Pod's node affinity/selector.",
    "Fix flaky test\n\nThe clock was read twice; now it is a parameter.\n\nRefs: #1432",
    "修复：订单金额四舍五入错误 (¥19.90 → ¥19.9)",
    "Merge branch 'main' into feature/\"quoted\"-names \\ backslashes",
    "naïve café — ½ price 🎉",
)


def things(kind: str) -> Sequence[Mapping[str, bytes]]:
    """The things of a kind, by the names of their fields."""
    return _KINDS[kind]()


@cache
def pools() -> Mapping[str, list[bytes]]:
    """Values by the pool's name."""
    rnd = random.Random("pools")
    return {name: [make(rnd).encode() for _ in range(_POOL)] for name, make in _MAKERS.items()}


def _text(value: str) -> bytes:
    """As the inside of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1].encode()


def _escaped(rnd: random.Random) -> str:
    # A part of all writers escapes everything beyond ASCII.
    return json.dumps(rnd.choice(_MESSAGES), ensure_ascii=rnd.random() < 0.3)[1:-1]


def _number(rnd: random.Random) -> str:
    form = rnd.randrange(8)
    if form < 3:
        return str(rnd.randrange(10 ** rnd.randrange(1, 10)))
    if form == 3:
        return f"{rnd.randrange(10**6) / 100:.2f}"
    if form == 4:
        return repr(rnd.uniform(-1, 1))
    if form == 5:
        return f"{rnd.randrange(1, 1000)}e{rnd.randrange(1, 6)}"
    if form == 6:
        return f"{rnd.randrange(1, 100)}.0"
    return str(rnd.randrange(2**53, 2**63))


def _variant(rnd: random.Random) -> str:
    return rnd.choice(("null", f'"{rnd.randrange(100)}"', str(rnd.randrange(100)), f"{rnd.randrange(100)}.5"))


def _maybe(rnd: random.Random) -> str:
    return "null" if rnd.random() < 0.4 else f'"{rnd.choice(_WORDS)}-{rnd.randrange(500)}"'


def _list(rnd: random.Random) -> str:
    return json.dumps([f"{rnd.choice(_WORDS)}{rnd.randrange(9)}" for _ in range(rnd.randrange(5))])


def _matrix(rnd: random.Random) -> str:
    rows = [[round(rnd.uniform(-180, 180), 4) for _ in range(2)] for _ in range(rnd.randrange(1, 5))]
    return json.dumps(rows, separators=(",", ":"))


_MAKERS: Mapping[str, Callable[[random.Random], str]] = {
    "minute_second": lambda rnd: f"{rnd.randrange(60):02d}:{rnd.randrange(60):02d}",
    "int": lambda rnd: str(rnd.randrange(10 ** rnd.randrange(1, 7))),
    "small": lambda rnd: str(rnd.randrange(12)),
    "port": lambda rnd: str(rnd.choice((80, 443, 8080, 8443, 9090, 15090))),
    "cents": lambda rnd: str(rnd.randrange(100, 500_000)),
    "number": _number,
    "variant": _variant,
    "bool": lambda rnd: rnd.choice(("true", "false")),
    "maybe": _maybe,
    "list": _list,
    "matrix": _matrix,
    "status": lambda rnd: rnd.choice(("True", "True", "True", "False", "Unknown")),
    "word": lambda rnd: f"{rnd.choice(_WORDS)}-{rnd.randrange(500)}",
    "message": _escaped,
    "person": lambda rnd: rnd.choice(_PEOPLE),
    "ip": lambda rnd: f"10.{rnd.randrange(256)}.{rnd.randrange(256)}.{rnd.randrange(1, 255)}",
    "cpu": lambda rnd: rnd.choice(("50m", "100m", "250m", "500m", "1", "1500m", "2")),
    "memory": lambda rnd: rnd.choice(("64Mi", "128Mi", "512Mi", "1Gi", "1.5Gi", "4Gi")),
    "digest": lambda rnd: f"sha256:{rnd.getrandbits(256):064x}",
    "key": lambda rnd: f"{rnd.getrandbits(80):020X}",
    "token": lambda rnd: f"{rnd.getrandbits(160):040x}",
    "agent": lambda rnd: rnd.choice(
        (
            "aws-cli/2.17.9 Python/3.11.9",
            "Boto3/1.34.2 md/Botocore#1.34.2 ua/2.0",
            "console.example.com",
            "Terraform/1.9.2 (+https://www.terraform.io)",
            "kube-controller-manager/v1.31.1 (linux/amd64)",
        )
    ),
    "currency": lambda rnd: rnd.choice(("usd", "eur", "cny", "jpy")),
}


@cache
def _pods() -> Sequence[Mapping[str, bytes]]:
    rnd = random.Random("pods")
    found = []
    for _ in range(THINGS):
        app = rnd.choice(_WORDS)
        hashed = f"{rnd.getrandbits(40):010x}"
        found.append(
            {
                "pod.app": app.encode(),
                "pod.name": f"{app}-{hashed}-{rnd.getrandbits(20):05x}".encode(),
                "pod.set": f"{app}-{hashed}".encode(),
                "pod.hash": hashed.encode(),
                "pod.namespace": rnd.choice(
                    ("default", "shop", "payments", "kube-system", "数据".encode().hex())
                ).encode(),
                "pod.uid": _uuid(rnd),
                "pod.set_uid": _uuid(rnd),
                "pod.node": f"node-{rnd.randrange(60):02d}.{rnd.choice(_REGIONS)}.example.com".encode(),
                "pod.ip": f"10.{rnd.randrange(256)}.{rnd.randrange(256)}.{rnd.randrange(1, 255)}".encode(),
                "pod.region": rnd.choice(_REGIONS).encode(),
            }
        )
    return found


@cache
def _users() -> Sequence[Mapping[str, bytes]]:
    rnd = random.Random("users")
    return [
        {
            "user.account": b"%012d" % rnd.randrange(10**12),
            "user.principal": f"AROA{rnd.getrandbits(80):020X}".encode(),
            "user.role": f"{rnd.choice(_WORDS)}-{rnd.choice(('deploy', 'admin', 'readonly'))}".encode(),
            "user.session": f"{rnd.choice(_WORDS)}.{rnd.randrange(999)}".encode(),
            "user.region": rnd.choice(_REGIONS).encode(),
            "user.instance": f"i-{rnd.getrandbits(68):017x}".encode(),
            "user.bucket": f"{rnd.choice(_WORDS)}-{rnd.choice(_USES)}-{rnd.randrange(99)}".encode(),
        }
        for _ in range(THINGS)
    ]


@cache
def _repositories() -> Sequence[Mapping[str, bytes]]:
    rnd = random.Random("repositories")
    found = []
    for number in range(THINGS):
        owner, name = f"{rnd.choice(_WORDS)}-labs", f"{rnd.choice(_WORDS)}-{number}"
        found.append(
            {
                "repo.id": b"%d" % rnd.randrange(10**8, 10**9),
                "repo.owner": owner.encode(),
                "repo.owner_id": b"%d" % rnd.randrange(10**6, 10**8),
                "repo.name": name.encode(),
                "repo.full": f"{owner}/{name}".encode(),
                "repo.login": f"{rnd.choice(_WORDS)}{rnd.randrange(99)}".encode(),
                "repo.person": _text(rnd.choice(_PEOPLE)),
                "repo.number": b"%d" % rnd.randrange(1, 5000),
            }
        )
    return found


@cache
def _customers() -> Sequence[Mapping[str, bytes]]:
    rnd = random.Random("customers")
    return [
        {
            "customer.id": f"cus_{rnd.getrandbits(70):014x}".encode(),
            "customer.name": _text(rnd.choice(_PEOPLE)),
            "customer.mail": f"{rnd.choice(_WORDS)}.{rnd.randrange(9999)}@example.com".encode(),
            "customer.city": _text(rnd.choice(("杭州", "Zürich", "São Paulo", "Boston", "Kraków"))),
            "customer.card": b"%04d" % rnd.randrange(10_000),
            "customer.account": f"acct_{rnd.getrandbits(64):016x}".encode(),
        }
        for _ in range(THINGS)
    ]


def _uuid(rnd: random.Random) -> bytes:
    text = f"{rnd.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{text[16:20]}-{text[20:]}".encode()


_KINDS = {"pod": _pods, "user": _users, "repo": _repositories, "customer": _customers}
