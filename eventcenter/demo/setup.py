"""Makes what the demo needs, through the API, and only what is missing."""

from eventcenter.client import Client

BUS = "k8s"
TARGET = "Demo robot"
KEYWORD = "K8s"
TOKEN_NAME = "demo"  # noqa: S105 a name
# Of the stand-in on this machine, which guards nothing.
ROBOT_TOKEN = "0d" * 32
ROBOT_SECRET = "SEC" + "d0" * 32

RULES: tuple[dict[str, object], ...] = (
    {
        "name": "Out of memory",
        "pattern": {"type": ["io.k8s.pod.oomkilled"]},
        "template": {
            "title": "K8s: ${data.metadata.name} ran out of memory",
            "text": "**${data.metadata.namespace}** on ${data.spec.nodeName}\n\n${data.message}",
        },
        "cooldown_s": 60,
    },
    {
        "name": "Node in trouble",
        "pattern": {"type": ["io.k8s.node.notready", "io.k8s.node.pressure"]},
        "template": {
            "title": "K8s: ${data.metadata.name} ${data.reason}",
            "text": "${data.message}",
        },
        "cooldown_s": 0,
    },
)


def make_bus(client: Client) -> None:
    """Make bus `k8s` unless it is there."""
    if BUS not in {bus.name for bus in client.buses()}:
        client.create_bus(BUS, "A small Kubernetes cluster that the demo simulates")


def make_token(client: Client) -> str:
    """A writer's token for this run; those of earlier runs are revoked."""
    for token in client.tokens():
        if token.name == TOKEN_NAME and token.revoked_at is None:
            client.revoke_token(token.id)
    return client.create_token(TOKEN_NAME, "writer").token


def make_rules(client: Client, *, robot_url: str) -> None:
    """Make the target at the robot stand-in and the two rules, unless they are there."""
    target = next((target for target in client.targets() if target.name == TARGET), None)
    if target is None:
        target = client.create_target(
            {
                "name": TARGET,
                "kind": "dingtalk",
                "webhook": f"https://oapi.dingtalk.com/robot/send?access_token={ROBOT_TOKEN}",
                "secret": ROBOT_SECRET,
                "keyword": KEYWORD,
                "base_url": robot_url,
            }
        )
    known = {rule.name for rule in client.rules()}
    for rule in RULES:
        if rule["name"] not in known:
            client.create_rule({**rule, "buses": [BUS], "target_id": target.id, "enabled": True})
