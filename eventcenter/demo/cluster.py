"""The life of the demo's cluster as a discrete-event simulation: the same seed and start, the same life."""

import heapq
import itertools
import math
import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from eventcenter.clock import rfc3339
from eventcenter.demo.workloads import MIB, REGISTRY, Deployment, Node, Pod, deployments, nodes

TYPE_PREFIX = "io.k8s."
Severity = Literal["info", "warning", "critical"]
_Life = Generator[float, None, None]
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, kw_only=True)
class Happening:
    """What one event tells: when, about what, and the object as it was then."""

    at: datetime
    id: str
    type: str
    source: str
    subject: str
    severity: Severity
    data: dict[str, Any]


class Cluster:
    """Lives on from `start`; `happenings` tells what happens, in order of time, without end."""

    def __init__(self, *, seed: int, start: datetime) -> None:
        self._random = random.Random(f"{seed}/{start.isoformat()}")
        self._now = start
        self._heap: list[tuple[datetime, int, _Life]] = []
        self._order = itertools.count()
        self._told: list[Happening] = []
        self._nodes = nodes()
        self._deployments = deployments()
        for deployment in self._deployments:
            for _ in range(deployment.replicas):
                pod = self._new_pod(deployment)
                pod.phase, pod.ready = "Running", True
                pod.started = start - timedelta(hours=self._random.uniform(1, 200))
                pod.memory = self._random.uniform(0.25, 0.6)
                self._begin(self._measure(pod), self._random.uniform(0, 180))
            self._begin(self._traffic(deployment), self._random.uniform(0, 45))
            if deployment.leak:
                self._begin(self._leak(deployment), self._within(3600 / deployment.leak))
        for node in self._nodes:
            self._begin(self._measure_node(node), self._random.uniform(0, 30))
        self._begin(self._surges(), self._within(900))
        self._begin(self._rollouts(), self._within(300))
        self._begin(self._scaling(), self._within(200))
        self._begin(self._jobs(), 0)
        self._begin(self._probes(), self._within(60))
        self._begin(self._troubles(), self._within(2400))

    def happenings(self) -> Iterator[Happening]:
        """All that happens, in order of time; the caller decides how far."""
        while True:
            self._now, _, life = heapq.heappop(self._heap)
            pause = next(life, None)
            if pause is not None:
                self._begin(life, pause)
            told, self._told = self._told, []
            yield from told

    def trouble_at(self, moment: datetime) -> None:
        """Let a pod run out of memory at `moment` and a node come under pressure soon after."""
        wait = max((moment - self._now).total_seconds(), 0.0)
        transcoder = next(d for d in self._deployments if d.name == "transcoder")
        self._begin(self._leak(transcoder, once=True), wait)
        self._begin(self._pressure(self._random.choice(self._nodes), "MemoryPressure"), wait + 20)

    # -- the machinery -------------------------------------------------------------------------------

    def _begin(self, life: _Life, wait: float) -> None:
        heapq.heappush(self._heap, (self._now + timedelta(seconds=wait), next(self._order), life))

    def _within(self, mean: float) -> float:
        """A random wait in seconds whose mean is `mean`."""
        return self._random.expovariate(1 / mean)

    def _name(self, length: int) -> str:
        return "".join(self._random.choices(_LETTERS, k=length))

    def _tell(
        self, kind: str, subject: str, component: str, data: dict[str, Any], severity: Severity = "info"
    ) -> None:
        self._told.append(
            Happening(
                at=self._now,
                id=f"{self._random.getrandbits(128):032x}",
                type=TYPE_PREFIX + kind,
                source=f"/clusters/demo/{component}",
                subject=subject,
                severity=severity,
                data=data,
            )
        )

    def _tell_pod(
        self, kind: str, pod: Pod, message: str, *, reason: str, severity: Severity = "info", **more: Any
    ) -> None:
        data = pod.data(reason, message, **more)
        self._tell(f"pod.{kind}", pod.subject, f"kubelet/{pod.node.name}", data, severity)

    def _tell_deployment(
        self, kind: str, deployment: Deployment, message: str, *, severity: Severity = "info", **more: Any
    ) -> None:
        data = deployment.data("Deployment" + kind.rpartition(".")[2].capitalize(), message, **more)
        self._tell(f"deployment.{kind}", deployment.subject, "deployment-controller", data, severity)

    def _new_pod(self, deployment: Deployment) -> Pod:
        pod = Pod(
            deployment=deployment,
            name=f"{deployment.name}-{deployment.template}-{self._name(5)}",
            uid=f"{self._random.getrandbits(128):032x}",
            image=deployment.image,
            node=self._random.choice([node for node in self._nodes if node.ready] or self._nodes),
            created=self._now,
        )
        deployment.pods.append(pod)
        return pod

    # -- pods ----------------------------------------------------------------------------------------

    def _start_pod(self, pod: Pod) -> _Life:
        """From created to ready, 5 to 40 seconds."""
        self._tell_pod("created", pod, f"Created pod {pod.name}", reason="SuccessfulCreate")
        yield self._random.uniform(0.05, 0.4)
        self._tell_pod("scheduled", pod, f"Assigned {pod.name} to {pod.node.name}", reason="Scheduled")
        pull = self._random.uniform(0.8, 9)
        yield pull
        self._tell_pod(
            "pulled",
            pod,
            f"Pulled image {pod.image} in {pull:.2f}s",
            reason="Pulled",
            pullSeconds=round(pull, 3),
        )
        yield self._random.uniform(0.2, 1)
        yield from self._run_container(pod)
        self._begin(self._measure(pod), self._random.uniform(5, 60))

    def _run_container(self, pod: Pod) -> _Life:
        pod.phase, pod.waiting, pod.started = "Running", None, self._now
        pod.memory = self._random.uniform(0.2, 0.4)
        self._tell_pod("started", pod, f"Started container {pod.deployment.name}", reason="Started")
        yield self._random.uniform(3, 20)
        pod.ready = True
        self._tell_pod("ready", pod, f"Pod {pod.name} is ready", reason="Ready")

    def _stop_pod(self, pod: Pod, why: str) -> None:
        if pod in pod.deployment.pods:
            pod.deployment.pods.remove(pod)
            pod.phase, pod.ready = "Succeeded", False
            self._tell_pod("deleted", pod, f"Deleted pod {pod.name}: {why}", reason="Killing")

    def _measure(self, pod: Pod) -> _Life:
        """The pod's use of memory and processor, every three minutes as long as it lives."""
        while pod in pod.deployment.pods:
            load = self._load() + self._random.gauss(0, 0.06)
            pod.memory = min(max(pod.memory + self._random.gauss(0.005, 0.02), 0.15), 0.97)
            limit = pod.deployment.memory_mib * MIB
            usage = {
                "cpuMillicores": max(round(pod.deployment.cpu_millicores * load), 1),
                "memoryBytes": round(limit * pod.memory),
                "memoryRatio": round(pod.memory, 4),
            }
            self._tell_pod("metrics", pod, "Resource use", reason="Metrics", usage=usage)
            yield 180 + self._random.uniform(-5, 5)

    def _leak(self, deployment: Deployment, *, once: bool = False) -> _Life:
        """Now and then a pod takes more memory than it may: killed, started again, backed off if repeated."""
        while True:
            pods = [pod for pod in deployment.pods if pod.ready]
            if pods:
                pod = self._random.choice(pods)
                times = 1 if self._random.random() < 0.8 else self._random.randint(3, 5)
                for attempt in range(times):
                    if pod not in deployment.pods:
                        break
                    yield from self._out_of_memory(pod)
                    if attempt >= 2:
                        yield from self._back_off(pod, attempt)
                    yield from self._run_container(pod)
                    if times > 1:
                        yield self._random.uniform(4, 12)
            if once:
                return
            yield self._within(3600 / deployment.leak)

    def _out_of_memory(self, pod: Pod) -> _Life:
        limit = pod.deployment.memory_mib
        pod.ready, pod.memory = False, 1.0
        pod.terminated = {
            "reason": "OOMKilled",
            "exitCode": 137,
            "startedAt": rfc3339(pod.started or self._now),
            "finishedAt": rfc3339(self._now),
        }
        self._tell_pod(
            "oomkilled",
            pod,
            f"Container {pod.deployment.name} used more than its limit of {limit}Mi and was killed",
            reason="OOMKilled",
            severity="critical",
            usage={"memoryBytes": limit * MIB + self._random.randint(1, MIB), "memoryRatio": 1.0},
        )
        yield self._random.uniform(0.5, 2)
        pod.restarts += 1
        self._tell_pod(
            "restarted",
            pod,
            f"Restarted container {pod.deployment.name}, {pod.restarts} times by now",
            reason="Restarted",
            severity="warning",
        )
        yield self._random.uniform(0.5, 2)

    def _back_off(self, pod: Pod, attempt: int) -> _Life:
        seconds = 10 * 2 ** (attempt - 2)
        pod.waiting = {"reason": "CrashLoopBackOff", "message": f"back-off {seconds}s"}
        self._tell_pod(
            "crashloopbackoff",
            pod,
            f"Back-off {seconds}s before container {pod.deployment.name} starts again",
            reason="CrashLoopBackOff",
            severity="critical",
            backOffSeconds=seconds,
        )
        yield float(seconds)

    def _probes(self) -> _Life:
        """A probe fails here and there."""
        while True:
            pods = [pod for deployment in self._deployments for pod in deployment.pods if pod.ready]
            pod = self._random.choice(pods)
            probe = self._random.choice(["Readiness", "Readiness", "Liveness"])
            status = self._random.choice([500, 503, 503, 504])
            self._tell_pod(
                "probefailed",
                pod,
                f"{probe} probe failed: HTTP status {status}",
                reason="Unhealthy",
                severity="warning",
                probe={
                    "kind": probe,
                    "status": status,
                    "latencyMs": round(self._random.lognormvariate(6, 1), 1),
                },
            )
            yield self._within(20)

    # -- traffic -------------------------------------------------------------------------------------

    def _load(self) -> float:
        """How busy the hour is: 0.25 at midnight, 0.85 at noon."""
        day = (self._now.hour * 3600 + self._now.minute * 60 + self._now.second) / 86400
        return 0.55 - 0.3 * math.cos(2 * math.pi * day)

    def _traffic(self, deployment: Deployment) -> _Life:
        """What the service answered, more often the busier the hour."""
        while True:
            pause = 12 / self._load() + self._random.uniform(0, 15)
            self._tell_traffic("requests", deployment, pause, slow=1.0)
            yield pause

    def _surges(self) -> _Life:
        """Now and then everybody comes at once: a service gets slow for some minutes and is scaled up."""
        while True:
            deployment = self._random.choice(self._deployments)
            until = self._now + timedelta(seconds=self._random.uniform(120, 480))
            slow = self._random.uniform(3, 12)
            self._begin(self._scale(deployment, 2), self._random.uniform(20, 60))
            while self._now < until:
                pause = self._random.uniform(0.6, 2.4)
                self._tell_traffic("slow", deployment, pause, slow=slow, severity="warning")
                yield pause
            yield 300 + self._within(1500)

    def _tell_traffic(
        self, kind: str, deployment: Deployment, seconds: float, *, slow: float, severity: Severity = "info"
    ) -> None:
        requests = max(round(seconds * 40 * self._load() * self._random.uniform(0.7, 1.3)), 1)
        median = self._random.lognormvariate(3, 0.3) * slow
        rate = min(0.002 * slow, 0.2)
        data = {
            "kind": "Service",
            "metadata": {
                "name": deployment.name,
                "namespace": deployment.namespace,
                "labels": {"app": deployment.name, "team": deployment.team},
            },
            "seconds": round(seconds, 1),
            "requests": requests,
            "errors": sum(self._random.random() < rate for _ in range(min(requests, 200))),
            "latencyMs": {
                "p50": round(median, 1),
                "p95": round(median * self._random.uniform(2, 4), 1),
                "p99": round(median * self._random.uniform(5, 9), 1),
            },
        }
        subject = f"namespaces/{deployment.namespace}/services/{deployment.name}"
        self._tell(f"service.{kind}", subject, "ingress-controller", data, severity)

    # -- deployments ---------------------------------------------------------------------------------

    def _rollouts(self) -> _Life:
        """A new version every five minutes or so; one in seven cannot be pulled and is rolled back."""
        while True:
            deployment = self._random.choice(self._deployments)
            self._begin(self._rollout(deployment, broken=self._random.random() < 1 / 7), 0)
            yield 60 + self._within(240)

    def _rollout(self, deployment: Deployment, *, broken: bool) -> _Life:
        before, began = deployment.version, self._now
        major, minor, patch = (int(part) for part in before.split("."))
        deployment.version = f"{major}.{minor}.{patch + 1}" if patch < 9 else f"{major}.{minor + 1}.0"
        deployment.revision += 1
        self._tell_deployment(
            "rollout.started",
            deployment,
            f"Rolling out {deployment.name} {deployment.version}",
            previousVersion=before,
            version=deployment.version,
        )
        yield 1.0
        if broken:
            yield from self._fail_to_pull(deployment, before)
            return
        for old in list(deployment.pods):
            yield from self._start_pod(self._new_pod(deployment))
            self._stop_pod(old, "replaced by the new version")
        self._tell_deployment(
            "rollout.completed",
            deployment,
            f"Rolled out {deployment.name} {deployment.version}",
            version=deployment.version,
            durationSeconds=round((self._now - began).total_seconds(), 1),
        )

    def _fail_to_pull(self, deployment: Deployment, before: str) -> _Life:
        pod = self._new_pod(deployment)
        self._tell_pod("created", pod, f"Created pod {pod.name}", reason="SuccessfulCreate")
        yield 0.3
        for attempt in range(4):
            reason = "ErrImagePull" if attempt % 2 == 0 else "ImagePullBackOff"
            pod.waiting = {"reason": reason, "message": f"{pod.image}: manifest unknown"}
            self._tell_pod(
                "imagepullfailed",
                pod,
                f"Failed to pull image {pod.image}: {REGISTRY} answered 404 manifest unknown",
                reason=reason,
                severity="warning",
                attempt=attempt + 1,
            )
            yield 10.0 * (attempt + 1)
        self._stop_pod(pod, "its image cannot be pulled")
        self._tell_deployment(
            "rollout.failed",
            deployment,
            f"Rollout of {deployment.name} {deployment.version} made no progress",
            severity="critical",
            version=deployment.version,
        )
        yield 5.0
        deployment.version = before
        deployment.revision += 1
        self._tell_deployment(
            "rollout.rolledback", deployment, f"Rolled {deployment.name} back to {before}", version=before
        )

    def _scaling(self) -> _Life:
        """The autoscaler adds or takes a replica."""
        while True:
            change = self._random.choice([-2, -1, -1, 1, 1, 2])
            self._begin(self._scale(self._random.choice(self._deployments), change), 0)
            yield 30 + self._within(90)

    def _scale(self, deployment: Deployment, change: int) -> _Life:
        before = deployment.replicas
        deployment.replicas = after = min(max(before + change, 2), 9)
        if after != before:
            self._tell_deployment(
                "scaled",
                deployment,
                f"Scaled {deployment.name} from {before} to {after}",
                scaling={"from": before, "to": after, "cpuRatio": round(self._random.uniform(0.3, 0.95), 2)},
            )
            for pod in deployment.pods[after:]:
                self._stop_pod(pod, "scaled down")
            for _ in range(after - len(deployment.pods)):
                yield self._random.uniform(0.1, 1)
                yield from self._start_pod(self._new_pod(deployment))

    def _jobs(self) -> _Life:
        """A report every minute, a backup six times an hour."""
        for number in itertools.count():
            name = "backup" if number % 10 == 3 else "report"
            self._begin(self._job(name), self._random.uniform(0, 3))
            yield 60.0

    def _job(self, name: str) -> _Life:
        subject = f"namespaces/platform/jobs/{name}-{self._name(5)}"
        data = {"kind": "Job", "metadata": {"name": subject.rpartition("/")[2], "namespace": "platform"}}
        self._tell("job.started", subject, "cronjob-controller", {**data, "reason": "SuccessfulCreate"})
        took = self._random.lognormvariate(3.2, 0.5)
        yield took
        ended = {**data, "durationSeconds": round(took, 3), "rows": self._random.randint(10_000, 900_000)}
        if self._random.random() < 0.04:
            failed = {**ended, "reason": "BackoffLimitExceeded", "exitCode": 1}
            self._tell("job.failed", subject, "job-controller", failed, "warning")
        else:
            self._tell("job.completed", subject, "job-controller", {**ended, "reason": "Completed"})

    # -- nodes ---------------------------------------------------------------------------------------

    def _tell_node(
        self, kind: str, node: Node, message: str, *, reason: str, severity: Severity = "info", **more: Any
    ) -> None:
        data = node.data(reason, message, **more)
        self._tell(f"node.{kind}", f"nodes/{node.name}", "node-controller", data, severity)

    def _measure_node(self, node: Node) -> _Life:
        """The node's use, every minute while it answers."""
        while True:
            if node.ready:
                pods = sum(pod.node is node for deployment in self._deployments for pod in deployment.pods)
                memory = 0.94 if node.pressure == "MemoryPressure" else min(0.25 + 0.07 * pods, 0.85)
                memory += self._random.gauss(0, 0.01)
                usage = {
                    "cpuRatio": round(min(0.1 + 0.08 * pods + abs(self._random.gauss(0, 0.05)), 1.0), 4),
                    "memoryRatio": round(memory, 4),
                    "memoryBytes": round(node.memory_mib * MIB * memory),
                    "pods": pods,
                }
                self._tell_node("metrics", node, "Resource use", reason="Metrics", usage=usage)
            yield 60.0

    def _troubles(self) -> _Life:
        """A node comes under pressure or is lost for some minutes."""
        while True:
            node = self._random.choice(self._nodes)
            if node.ready and node.pressure is None:
                if self._random.random() < 0.3:
                    self._begin(self._lost(node), 0)
                else:
                    kind = self._random.choice(["MemoryPressure", "MemoryPressure", "DiskPressure"])
                    self._begin(self._pressure(node, kind), 0)
            yield 600 + self._within(1800)

    def _pressure(self, node: Node, kind: str) -> _Life:
        node.pressure = kind
        what = kind.removesuffix("Pressure").lower()
        self._tell_node("pressure", node, f"{node.name} is short of {what}", reason=kind, severity="critical")
        yield self._random.uniform(5, 15)
        yield from self._evict(node, f"{node.name} is short of {what}", most=2)
        yield self._random.uniform(120, 420)
        node.pressure = None
        self._tell_node("relieved", node, f"{node.name} has enough {what} again", reason=f"No{kind}")

    def _lost(self, node: Node) -> _Life:
        node.ready = False
        self._tell_node(
            "notready", node, f"{node.name} stopped reporting", reason="NodeNotReady", severity="critical"
        )
        yield 40.0
        yield from self._evict(node, f"{node.name} is not ready", most=20)
        yield self._random.uniform(60, 300)
        node.ready = True
        self._tell_node("ready", node, f"{node.name} reports again", reason="NodeReady")

    def _evict(self, node: Node, why: str, *, most: int) -> _Life:
        pods = [pod for deployment in self._deployments for pod in deployment.pods if pod.node is node]
        for pod in pods[:most]:
            if pod not in pod.deployment.pods:
                continue
            pod.ready, pod.phase = False, "Failed"
            self._tell_pod("evicted", pod, f"Evicted {pod.name}: {why}", reason="Evicted", severity="warning")
            pod.deployment.pods.remove(pod)
            self._begin(self._start_pod(self._new_pod(pod.deployment)), self._random.uniform(0.2, 3))
            yield self._random.uniform(0.3, 2)
