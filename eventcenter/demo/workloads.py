"""What runs in the demo's cluster, and how its objects look in an event's data."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eventcenter.clock import rfc3339

MIB = 1 << 20
REGISTRY = "registry.example.com"


@dataclass(kw_only=True)
class Node:
    """A machine; `memory_mib` and `cpu_millicores` are what it has."""

    name: str
    zone: str
    memory_mib: int = 32768
    cpu_millicores: int = 8000
    pressure: str | None = None
    ready: bool = True

    def data(self, reason: str, message: str, **more: Any) -> dict[str, Any]:
        """The node as an event's data."""
        conditions = [
            {"type": "Ready", "status": "True" if self.ready else "False"},
            *(
                {"type": kind, "status": "True" if self.pressure == kind else "False"}
                for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
            ),
        ]
        return {
            "kind": "Node",
            "metadata": {
                "name": self.name,
                "labels": {"topology.kubernetes.io/zone": self.zone, "kubernetes.io/arch": "amd64"},
            },
            "status": {
                "conditions": conditions,
                "capacity": {"cpu": f"{self.cpu_millicores}m", "memory": f"{self.memory_mib}Mi"},
            },
            "reason": reason,
            "message": message,
            **more,
        }


@dataclass(kw_only=True)
class Deployment:
    """A service of some replicas. `leak` is how many times an hour one of its pods runs out of memory."""

    namespace: str
    name: str
    replicas: int
    memory_mib: int
    cpu_millicores: int
    team: str
    leak: float = 0.0
    revision: int = 1
    version: str = "1.0.0"
    pods: "list[Pod]" = field(default_factory=list)

    @property
    def image(self) -> str:
        """The image that the present revision runs."""
        return f"{REGISTRY}/{self.namespace}/{self.name}:{self.version}"

    @property
    def template(self) -> str:
        """The middle of its pods' names: a hash of what they run."""
        return hashlib.sha256(self.image.encode()).hexdigest()[:9]

    @property
    def subject(self) -> str:
        return f"namespaces/{self.namespace}/deployments/{self.name}"

    def data(self, reason: str, message: str, **more: Any) -> dict[str, Any]:
        """The deployment as an event's data."""
        return {
            "kind": "Deployment",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {"app": self.name, "team": self.team},
                "generation": self.revision,
            },
            "spec": {"replicas": self.replicas, "image": self.image},
            "status": {
                "replicas": len(self.pods),
                "readyReplicas": sum(pod.ready for pod in self.pods),
                "observedGeneration": self.revision,
            },
            "reason": reason,
            "message": message,
            **more,
        }


@dataclass(kw_only=True, eq=False)
class Pod:
    """One replica on a node. `memory` is the share of its limit that it uses."""

    deployment: Deployment
    name: str
    uid: str
    image: str
    node: Node
    created: datetime
    phase: str = "Pending"
    ready: bool = False
    restarts: int = 0
    started: datetime | None = None
    memory: float = 0.3
    terminated: dict[str, Any] | None = None
    waiting: dict[str, Any] | None = None

    @property
    def subject(self) -> str:
        return f"namespaces/{self.deployment.namespace}/pods/{self.name}"

    def data(self, reason: str, message: str, **more: Any) -> dict[str, Any]:
        """The pod as an event's data."""
        deployment = self.deployment
        status: dict[str, Any] = {
            "name": deployment.name,
            "image": self.image,
            "ready": self.ready,
            "restartCount": self.restarts,
            "state": self._state(),
        }
        if self.terminated is not None:
            status["lastState"] = {"terminated": self.terminated}
        return {
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "namespace": deployment.namespace,
                "uid": self.uid,
                "creationTimestamp": rfc3339(self.created),
                "labels": {"app": deployment.name, "team": deployment.team},
            },
            "spec": {
                "nodeName": self.node.name,
                "containers": [
                    {
                        "name": deployment.name,
                        "image": self.image,
                        "resources": {
                            "limits": {"memory": f"{deployment.memory_mib}Mi"},
                            "requests": {"cpu": f"{deployment.cpu_millicores}m"},
                        },
                    }
                ],
            },
            "status": {"phase": self.phase, "containerStatuses": [status]},
            "reason": reason,
            "message": message,
            **more,
        }

    def _state(self) -> dict[str, Any]:
        if self.waiting is not None:
            return {"waiting": self.waiting}
        if self.started is not None:
            return {"running": {"startedAt": rfc3339(self.started)}}
        return {"waiting": {"reason": "ContainerCreating"}}


def nodes() -> list[Node]:
    """Six machines in three zones."""
    return [Node(name=f"node-{zone}{number}", zone=f"zone-{zone}") for zone in "abc" for number in (1, 2)]


def deployments() -> list[Deployment]:
    """Three namespaces with ten services; the transcoder leaks memory."""
    rows = (
        ("shop", "web", 6, 512, 250, "storefront", 0.0),
        ("shop", "cart", 3, 256, 200, "storefront", 0.3),
        ("shop", "checkout", 3, 512, 250, "payments", 0.2),
        ("shop", "payments", 2, 768, 300, "payments", 0.0),
        ("shop", "search", 3, 2048, 800, "discovery", 0.4),
        ("media", "transcoder", 4, 1024, 1500, "media", 6.0),
        ("media", "thumbnails", 3, 384, 400, "media", 1.0),
        ("media", "uploads", 2, 256, 150, "media", 0.0),
        ("platform", "gateway", 3, 512, 500, "platform", 0.0),
        ("platform", "notifier", 2, 192, 100, "platform", 0.2),
    )
    return [
        Deployment(
            namespace=namespace,
            name=name,
            replicas=replicas,
            memory_mib=memory,
            cpu_millicores=cpu,
            team=team,
            leak=leak,
        )
        for namespace, name, replicas, memory, cpu, team, leak in rows
    ]
