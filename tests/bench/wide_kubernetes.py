"""Kubernetes: pods as a watch sees them, and the cluster's own events."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench.wide_tree import ENVIRONMENT, TIME, Tree, envelope

_TEAMS = ("payments", "growth", "core", "data", "平台")
_LABELS = (
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "app.kubernetes.io/managed-by",
    "pod-template-hash",
    "security.istio.io/tlsMode",
    "topology.kubernetes.io/zone",
    "team",
    "tier",
    "track",
    "service.istio.io/canonical-revision",
)
_SIDECARS = ("istio-proxy", "log-agent", "vault-agent", "cache", "exporter")
_NODE_CONDITIONS = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready", "NetworkUnavailable")


def pod_changed(rnd: random.Random) -> Tree:
    action = rnd.choice(("ADDED", "MODIFIED", "MODIFIED", "DELETED"))
    names = ["app", *rnd.sample(_SIDECARS, rnd.choice((0, 0, 1, 1, 2, 4)))]
    containers = [_container(rnd, name) for name in names]
    data = {
        "type": action,
        "object": {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": _metadata(rnd, containers),
            "spec": _pod_spec(rnd, containers),
            "status": _pod_status(rnd, names),
        },
    }
    return envelope(
        f"io.k8s.core.v1.pod.{action.lower()}",
        "/k8s/clusters/‹pod.region›",
        "/apis/v1/namespaces/‹pod.namespace›/pods/‹pod.name›",
        data,
        partitionkey="‹pod.uid›",
        sampledrate="«small»",
    )


def _metadata(rnd: random.Random, containers: Sequence[Tree]) -> Tree:
    labels: Tree = {"app": "‹pod.app›", "pod-template-hash": "‹pod.hash›"}
    labels.update(dict.fromkeys(rnd.sample(_LABELS, rnd.randrange(3, 10)), "‹word›"))
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "kubectl.kubernetes.io/restartedAt": TIME,
        "cni.projectcalico.org/podIP": "‹pod.ip›/32",
        "example.com/owner": rnd.choice(_TEAMS),
        "example.com/说明": "‹message›",
    }
    return {
        "name": "‹pod.name›",
        "generateName": "‹pod.set›-",
        "namespace": "‹pod.namespace›",
        "uid": "‹pod.uid›",
        "resourceVersion": "‹serial›",
        "creationTimestamp": TIME,
        "deletionTimestamp": None,
        "labels": labels,
        "annotations": dict(rnd.sample(list(annotations.items()), rnd.randrange(2, len(annotations) + 1))),
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "‹pod.set›",
                "uid": "‹pod.set_uid›",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "managedFields": [
            _managed(
                "kube-controller-manager",
                {
                    "f:metadata": {"f:labels": _fields(labels)},
                    "f:spec": {
                        "f:containers": {
                            f'k:{{"name":"{container["name"]}"}}': _fields(container)
                            for container in containers
                        },
                        "f:dnsPolicy": {},
                        "f:restartPolicy": {},
                        "f:schedulerName": {},
                        "f:securityContext": {},
                    },
                },
            ),
            _managed(
                "kubelet",
                {
                    "f:status": {
                        "f:conditions": {
                            f'k:{{"type":"{kind}"}}': _fields(
                                {"lastTransitionTime": 0, "status": 0, "type": 0}
                            )
                            for kind in ("ContainersReady", "Initialized", "Ready")
                        },
                        "f:containerStatuses": {},
                        "f:phase": {},
                        "f:podIP": {},
                        "f:startTime": {},
                    }
                },
                subresource="status",
            ),
        ],
    }


def _managed(manager: str, fields: Tree, **more: str) -> Tree:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": TIME,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


def _fields(members: Mapping[str, Any]) -> Tree:
    return {".": {}, **{f"f:{name}": {} for name in members}}


def _container(rnd: random.Random, name: str) -> Tree:
    probe = {
        "httpGet": {"path": "/healthz", "port": "«port»", "scheme": "HTTP"},
        "initialDelaySeconds": "«small»",
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "failureThreshold": 3,
    }
    environment: list[Tree] = [
        {"name": key, "value": "‹word›"} for key in rnd.sample(ENVIRONMENT, rnd.randrange(2, 15))
    ]
    environment.append({"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}})
    return {
        "name": name,
        "image": f"registry.example.com/‹pod.app›/{name}:‹pod.hash›",
        "args": ["--config=/etc/app/config.yaml", "--log-format", "json"][: rnd.randrange(4)],
        "ports": [{"name": "http", "containerPort": "«port»", "protocol": "TCP"}],
        "env": environment,
        "resources": {
            "limits": {"cpu": "‹cpu›", "memory": "‹memory›"},
            "requests": {"cpu": "‹cpu›", "memory": "‹memory›", "ephemeral-storage": "‹memory›"},
        },
        "volumeMounts": [
            {"name": "config", "readOnly": True, "mountPath": "/etc/app"},
            {
                "name": "kube-api-access",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
        "livenessProbe": probe,
        "readinessProbe": probe | {"successThreshold": 1},
        "terminationMessagePath": "/dev/termination-log",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "runAsUser": "«int»",
            "runAsNonRoot": "«bool»",
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _pod_spec(rnd: random.Random, containers: Sequence[Tree]) -> Tree:
    return {
        "volumes": [
            {"name": "config", "configMap": {"name": "‹pod.app›-config", "defaultMode": 420}},
            {
                "name": "kube-api-access",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {
                            "configMap": {
                                "name": "kube-root-ca.crt",
                                "items": [{"key": "ca.crt", "path": "ca.crt"}],
                            }
                        },
                    ],
                    "defaultMode": 420,
                },
            },
        ],
        "containers": list(containers),
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "‹pod.app›",
        "nodeName": "‹pod.node›",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": "«small»",
                        "podAffinityTerm": {
                            "labelSelector": {
                                "matchExpressions": [
                                    {"key": "app", "operator": "In", "values": ["‹pod.app›", "‹word›"]}
                                ]
                            },
                            "topologyKey": "kubernetes.io/hostname",
                        },
                    }
                ]
            }
        },
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")[
                : rnd.randrange(1, 3)
            ]
        ],
        "priority": "«int»",
        "enableServiceLinks": "«bool»",
    }


def _pod_status(rnd: random.Random, names: Sequence[str]) -> Tree:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "‹message›"}}
    running = {"running": {"startedAt": TIME}}
    ended = {
        "terminated": {
            "exitCode": "«small»",
            "reason": "OOMKilled",
            "startedAt": TIME,
            "finishedAt": TIME,
            "containerID": "containerd://‹digest›",
        }
    }
    return {
        "phase": rnd.choice(("Running", "Pending", "Failed")),
        "conditions": [
            {
                "type": kind,
                "status": "‹status›",
                "lastProbeTime": None,
                "lastTransitionTime": TIME,
                **({"reason": "ContainersNotReady", "message": "‹message›"} if rnd.random() < 0.4 else {}),
            }
            for kind in (
                "Initialized",
                "Ready",
                "ContainersReady",
                "PodScheduled",
                "PodReadyToStartContainers",
            )
        ],
        "hostIP": "‹ip›",
        "podIP": "‹pod.ip›",
        "podIPs": [{"ip": "‹pod.ip›"}],
        "startTime": TIME,
        "containerStatuses": [
            {
                "name": name,
                "state": rnd.choice((waiting, running, running)),
                "lastState": ended if rnd.random() < 0.4 else {},
                "ready": "«bool»",
                "restartCount": "«small»",
                "image": f"registry.example.com/‹pod.app›/{name}:‹pod.hash›",
                "imageID": f"registry.example.com/‹pod.app›/{name}@‹digest›",
                "containerID": "containerd://‹digest›",
                "started": "«bool»",
            }
            for name in names
        ],
        "qosClass": rnd.choice(("Burstable", "Guaranteed", "BestEffort")),
    }


def cluster_event(rnd: random.Random) -> Tree:
    reason = rnd.choice(("BackOff", "Unhealthy", "Pulled", "FailedScheduling", "Evicted", "Killing"))
    labels = dict.fromkeys(rnd.sample(_LABELS, rnd.randrange(12)), "‹word›")
    about = {
        "kind": "Pod",
        "namespace": "‹pod.namespace›",
        "name": "‹pod.name›",
        "uid": "‹pod.uid›",
        "apiVersion": "v1",
        "resourceVersion": "‹serial›",
        "fieldPath": "spec.containers{app}",
    }
    written = (
        "action",
        "firstTimestamp",
        "lastTimestamp",
        "message",
        "reason",
        "reportingComponent",
        "source",
        "type",
    )
    data = {
        "kind": "Event",
        "apiVersion": "events.k8s.io/v1",
        "metadata": {
            "name": "‹pod.name›.‹span›",
            "namespace": "‹pod.namespace›",
            "uid": "‹uuid›",
            "resourceVersion": "‹serial›",
            "creationTimestamp": TIME,
            "labels": labels,
            "annotations": {"example.com/team": rnd.choice(_TEAMS), "example.com/说明": "‹message›"},
            "managedFields": [
                _managed(
                    "kubelet",
                    {
                        **{f"f:{name}": {} for name in written},
                        "f:metadata": {"f:labels": _fields(labels)},
                        "f:regarding": _fields(about),
                        "f:series": _fields({"count": 0, "lastObservedTime": 0}),
                    },
                )
            ],
        },
        "reason": reason,
        "type": "Normal" if reason in {"Pulled", "Killing"} else "Warning",
        "note": "‹message›",
        "regarding": about,
        "related": None if rnd.random() < 0.6 else about,
        "series": {"count": "«int»", "lastObservedTime": TIME} if rnd.random() < 0.5 else None,
        "action": rnd.choice(("Binding", "Scheduling", "")),
        "eventTime": TIME,
        "reportingController": "kubelet",
        "reportingInstance": "‹pod.node›",
        "deprecatedSource": {"component": "kubelet", "host": "‹pod.node›"},
        "deprecatedFirstTimestamp": TIME,
        "deprecatedLastTimestamp": TIME,
        "deprecatedCount": "«int»",
        "node": {
            "conditions": {
                kind: {"status": "‹status›", "since": TIME, "heartbeat": "«number»"}
                for kind in _NODE_CONDITIONS[: rnd.randrange(6)]
            },
            "allocatable": {"cpu": "‹cpu›", "memory": "‹memory›", "pods": "«variant»"},
            "usage": dict.fromkeys(("cpu", "memory", "fs", "inodes", "rx", "tx"), "«number»"),
            "images": "«list»",
        },
    }
    return envelope(
        f"io.k8s.events.v1.{reason.lower()}",
        "/k8s/clusters/‹pod.region›",
        "/apis/v1/namespaces/‹pod.namespace›/pods/‹pod.name›",
        data,
        severity=rnd.choice(("info", "warning", "error")),
    )
