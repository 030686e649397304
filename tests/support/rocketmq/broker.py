"""The processes of a RocketMQ: started, killed and stopped, also by another process than their parent."""

import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from tests.support.rocketmq import jars
from tests.support.rocketmq.remoting import (
    CLUSTER,
    ROUTE,
    UPDATE_CONFIG,
    UPDATE_GROUP,
    UPDATE_TOPIC,
    Refused,
    ask,
)

Kind = Literal["NORMAL", "FIFO", "DELAY", "TRANSACTION", "MIXED"]
Mode = Literal["local", "cluster"]

_ROOT = Path(__file__).parents[3]
_HOST = "127.0.0.1"
_CLUSTER = "DefaultCluster"
_READY_S = 60.0
_STOP_S = 20.0
_LOG_TAIL = 4000
_AUTHENTICATION = "org.apache.rocketmq.auth.authentication.provider."


class Failed(Exception):
    """RocketMQ did not start, or did not do what it was asked for; says why, with the end of its log."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where a RocketMQ listens. The broker takes `broker - 2` and `broker + 1` too."""

    nameserver: int = 9876
    # RocketMQ's own protocol, to the broker directly.
    broker: int = 10911
    # The proxy, for clients of RocketMQ 5.
    grpc: int = 8081
    # The proxy, for clients of RocketMQ 4.
    remoting: int = 8080

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody listens on, and that no outgoing connection is given while the broker is down."""
        while True:
            first = random.randrange(15_000, 32_000, 8)
            ports = cls(nameserver=first, grpc=first + 1, remoting=first + 2, broker=first + 5)
            if not ports.taken():
                return ports

    def taken(self) -> list[int]:
        """Those that somebody listens on."""
        wanted = (self.nameserver, self.grpc, self.remoting, self.broker, self.broker - 2, self.broker + 1)
        return [port for port in wanted if not _is_free(port)]


class Broker:
    """A NameServer, and a proxy with its broker inside, that keep everything in `folder`.

    In mode `cluster` the broker is a process of its own that knows of no proxy, with the proxy before it.
    With `old`, NameServer and broker are those of a RocketMQ 4; the proxy is not.
    With an `account` the proxy asks for its access key and secret key.

    Each process holds a lock on its log as long as it lives. So whoever knows the folder knows what runs, and
    never signals a process that only has a former one's number.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        mode: Mode = "local",
        account: tuple[str, str] | None = None,
        old: bool = False,
    ) -> None:
        self.folder = folder.absolute()
        self.ports = ports
        self.mode = mode
        self.account = account
        self.old = old
        self._pids: dict[str, int] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """The one that was started in the folder, whether it runs or not; None if there was none."""
        try:
            noted = json.loads((folder / "state.json").read_text())
        except FileNotFoundError:
            return None
        found = cls(folder, Ports(**noted["ports"]), mode=noted.get("mode", "local"))
        found._pids = noted["pids"]
        return found

    @property
    def nameserver(self) -> str:
        """Where the NameServer is."""
        return f"{_HOST}:{self.ports.nameserver}"

    @property
    def endpoint(self) -> str:
        """Where clients of RocketMQ 5 find the proxy (gRPC)."""
        return f"{_HOST}:{self.ports.grpc}"

    @property
    def names(self) -> tuple[str, ...]:
        """The processes, each after those that it needs."""
        return ("nameserver", "proxy") if self.mode == "local" else ("nameserver", "broker", "proxy")

    @property
    def alive(self) -> set[str]:
        """Which of the processes run."""
        return {name for name in self.names if self._runs(name)}

    def pid(self, name: str) -> int:
        """The number of a process."""
        return self._pids[name]

    def start(self, *, timeout_s: float = _READY_S) -> None:
        """Start what does not run, and wait until it serves; what was stored in the folder is there again.

        Where that raises Unavailable or Failed, nothing that was started runs on.
        """
        library, java = jars.fetch(), jars.java()
        behind = jars.fetch_old() if self.old else library
        before = self.alive
        if not before and (taken := self.ports.taken()):
            raise Failed(f"somebody listens already on {', '.join(map(str, taken))}: choose other ports")
        self._configure()
        end = time.monotonic() + timeout_s
        try:
            commands = {
                "nameserver": self._nameserver(java, behind),
                "broker": self._broker(java, behind),
                "proxy": self._proxy(java, library),
            }
            if self.mode == "cluster":
                self._start_broker(commands, before, end)
            for name in self.names:
                if not self._runs(name):
                    self._spawn(name, commands[name])
            self._wait_for_nameserver(end)
            self._wait("proxy", lambda: "startup successfully" in self._said("proxy") and self._known(), end)
        except BaseException:
            for name in set(self.names) - before:
                self._end(name, signal.SIGKILL)
            raise

    def kill(self) -> None:
        """kill -9 of the proxy, and the broker where that is in it; `start` brings them back."""
        self._end("proxy", signal.SIGKILL)

    def stop(self) -> None:
        """Ask all to end, which takes RocketMQ more than ten seconds; what was stored stays."""
        for name in reversed(self.names):
            self._end(name, signal.SIGTERM)

    def remove(self) -> None:
        """End all at once, and remove the folder: all that a broker does at its end is for what it stored."""
        for name in self.names:
            self._end(name, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_topic(self, name: str, *, queues: int = 4, kind: Kind = "NORMAL") -> None:
        """Make the topic, or change it; afterwards producers and consumers find it."""
        ask(
            self.ports.broker,
            UPDATE_TOPIC,
            {
                "topic": name,
                "defaultTopic": "TBW102",
                "readQueueNums": queues,
                "writeQueueNums": queues,
                "perm": 6,
                "topicFilterType": "SINGLE_TAG",
                "topicSysFlag": 0,
                "order": False,
                "attributes": f"+message.type={kind}",
            },
        )
        self._wait("proxy", lambda: self._routed(name), time.monotonic() + _STOP_S)

    def create_group(self, name: str, *, ordered: bool = False, retries: int = 16) -> None:
        """Make the consumer group, or change it; clients by gRPC are refused without one."""
        settings = {"groupName": name, "consumeMessageOrderly": ordered, "retryMaxTimes": retries}
        ask(self.ports.broker, UPDATE_GROUP, body=json.dumps(settings).encode())

    def log(self, name: str) -> str:
        """The end of what a process said since it was started."""
        return self._said(name)[-_LOG_TAIL:]

    def _configure(self) -> None:
        ports = self.ports
        (self.folder / "conf").mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        address = {"bindAddress": _HOST}
        self._write("namesrv.conf", _properties({"listenPort": ports.nameserver, **address}))
        self._write(
            "broker.conf",
            _properties(
                {
                    "brokerClusterName": _CLUSTER,
                    "brokerName": "broker-a",
                    "brokerId": 0,
                    "brokerIP1": _HOST,
                    **address,
                    "listenPort": ports.broker,
                    "namesrvAddr": self.nameserver,
                    "storePathRootDir": self.folder / "store",
                    "mappedFileSizeCommitLog": 64 << 20,
                    "mappedFileSizeConsumeQueue": 600_000,
                    # A developer's disk is often fuller than a broker likes; it would refuse messages.
                    "diskMaxUsedSpaceRatio": 95,
                    # It keeps the accounts, and the proxy asks: commands to the broker itself need none.
                    **self._accounts(),
                }
            ),
        )
        self._write(
            "rmq-proxy.json",
            json.dumps(
                {
                    "rocketMQClusterName": _CLUSTER,
                    "namesrvAddr": self.nameserver,
                    "proxyMode": self.mode.upper(),
                    "localServeAddr": _HOST,
                    "grpcServerPort": ports.grpc,
                    "remotingListenPort": ports.remoting,
                    "grpcThreadPoolNums": 8,
                    "enablePrintJstack": False,
                    **self._accounts(),
                    "authenticationEnabled": self.account is not None,
                }
            ),
        )
        # In place of the files in the jars, which write a score of logs of up to 100 MB each.
        logback = (
            '<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder>'
            "<pattern>%d %p %t - %m%n</pattern></encoder></appender>"
            # This one finds nothing to do every half minute, and warns of it.
            '<logger name="RocketmqTransaction" level="ERROR"/>'
            '<root level="WARN"><appender-ref ref="out"/></root></configuration>'
        )
        # RocketMQ 4 takes the other two, and does not start without.
        for name in ("logback.xml", "logback_namesrv.xml", "logback_broker.xml"):
            self._write(name, logback)

    def _accounts(self) -> dict[str, Any]:
        """Where the accounts are kept, and the first of them."""
        if self.account is None:
            return {}
        name, password = self.account
        return {
            "authenticationProvider": f"{_AUTHENTICATION}DefaultAuthenticationProvider",
            "authenticationMetadataProvider": f"{_AUTHENTICATION}LocalAuthenticationMetadataProvider",
            "authConfigPath": str(self.folder / "store" / "config"),
            "initAuthenticationUser": json.dumps({"username": name, "password": password}),
        }

    def _start_broker(self, commands: dict[str, list[str]], before: set[str], end: float) -> None:
        """NameServer and broker: a proxy before them ends where it finds none.

        The broker starts whether the NameServer is there or not, and may be the first of the two.
        """
        for name in ("nameserver", "broker"):
            if name not in before:
                self._spawn(name, commands[name])
        self._wait_for_nameserver(end)
        self._wait("broker", lambda: "boot success" in self._said("broker") and self._known(), end)

    def _wait_for_nameserver(self, end: float) -> None:
        self._wait("nameserver", lambda: "boot success" in self._said("nameserver"), end)

    def _write(self, name: str, text: str) -> None:
        (self.folder / "conf" / name).write_text(text + "\n")

    def _nameserver(self, java: str, library: Path) -> list[str]:
        conf = self.folder / "conf" / "namesrv.conf"
        return [
            *self._jvm(java, library, "32m", "128m"),
            "org.apache.rocketmq.namesrv.NamesrvStartup",
            f"-c{conf}",
        ]

    def _broker(self, java: str, library: Path) -> list[str]:
        conf = self.folder / "conf" / "broker.conf"
        return [
            *self._jvm(java, library, "256m", "512m"),
            "org.apache.rocketmq.broker.BrokerStartup",
            *("-c", str(conf)),
        ]

    def _proxy(self, java: str, library: Path) -> list[str]:
        conf = self.folder / "conf"
        return [
            *self._jvm(java, library, "256m", "768m"),
            "org.apache.rocketmq.proxy.ProxyStartup",
            *("-n", self.nameserver, "-pm", self.mode, "-pc", str(conf / "rmq-proxy.json")),
            *(("-bc", str(conf / "broker.conf")) if self.mode == "local" else ()),
        ]

    def _jvm(self, java: str, library: Path, heap: str, max_heap: str) -> list[str]:
        # RocketMQ reaches into these parts of Java, which are closed since version 17.
        opened = ("java.nio", "java.util", "java.lang", "jdk.internal.ref")
        return [
            java,
            "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
            *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in opened),
            *(f"-Xms{heap}", f"-Xmx{max_heap}", "-XX:MaxDirectMemorySize=256m", "-XX:+UseSerialGC"),
            # Whatever a process leaves behind when it is killed goes with the folder.
            *("-XX:-UsePerfData", f"-Djava.io.tmpdir={self.folder / 'tmp'}", f"-Duser.home={self.folder}"),
            f"-Drocketmq.home.dir={self.folder}",
            "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.98",
            f"-Drmq.logback.configurationFile={self.folder / 'conf' / 'logback.xml'}",
            *("-cp", f"{library}/*"),
        ]

    def _spawn(self, name: str, command: list[str]) -> None:
        with self._log(name).open("ab") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failed(f"somebody else starts a RocketMQ in {self.folder} at this moment") from None
            log.truncate(0)
            # A session of its own: Ctrl-C in the terminal is not for it.
            self._children[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "ROCKETMQ_HOME": str(self.folder), "RMQ_PROXY_HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pids[name] = self._children[name].pid
        state = json.dumps({"ports": asdict(self.ports), "mode": self.mode, "pids": self._pids})
        unfinished = self.folder / "state.json.unfinished"
        unfinished.write_text(state)
        unfinished.replace(self.folder / "state.json")

    def _end(self, name: str, how: signal.Signals) -> None:
        """Signal it if it runs, and wait until it is gone; it is killed if it does not end by itself."""
        if self._runs(name):
            os.kill(self._pids[name], how)
        end = time.monotonic() + _STOP_S
        while self._runs(name):
            if time.monotonic() > end:
                os.kill(self._pids[name], signal.SIGKILL)
            time.sleep(0.02)
        if child := self._children.pop(name, None):
            child.wait()

    def _runs(self, name: str) -> bool:
        try:
            with self._log(name).open("rb") as log:
                fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _wait(self, name: str, condition: Callable[[], bool], end: float) -> None:
        while not condition():
            if not self._runs(name):
                raise Failed(f"RocketMQ's {name} has ended:\n{self.log(name)}")
            # It then goes on as a process that serves nobody.
            if "find an unexpect err" in self._said(name):
                raise Failed(f"RocketMQ's {name} cannot start:\n{self.log(name)}")
            if time.monotonic() > end:
                raise Failed(f"RocketMQ's {name} is not ready:\n{self.log(name)}")
            time.sleep(0.02)

    def _known(self) -> bool:
        """Whether the NameServer knows the broker, which is told to make itself known if not.

        When it starts it often does so in vain, before it has looked whether the NameServer is there, and
        again only after ten seconds. It also does so when its permissions are set: here to its usual ones.
        """
        # The answer is not JSON: it has numbers as keys.
        if f'"{_HOST}:{self.ports.broker}"'.encode() in ask(self.ports.nameserver, CLUSTER).body:
            return True
        ask(self.ports.broker, UPDATE_CONFIG, body=b"brokerPermission=6")
        return False

    def _routed(self, topic: str) -> bool:
        try:
            ask(self.ports.nameserver, ROUTE, {"topic": topic})
        except Refused:
            return False
        return True

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _said(self, name: str) -> str:
        try:
            return self._log(name).read_text(errors="replace")
        except FileNotFoundError:
            return ""


@contextmanager
def running(
    folder: Path,
    *,
    timeout_s: float = _READY_S,
    mode: Mode = "local",
    account: tuple[str, str] | None = None,
    old: bool = False,
) -> Iterator[Broker]:
    """One on free ports that is gone afterwards, also where this process is killed and cannot see to it."""
    broker = Broker(folder, Ports.free(), mode=mode, account=account, old=old)
    guard = subprocess.Popen(
        [
            "sh",
            "-c",
            'read -r _; exec "$@"',
            "guard",
            sys.executable,
            "-m",
            __package__,
            "down",
            f"--folder={folder}",
        ],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        broker.start(timeout_s=timeout_s)
        yield broker
    finally:
        broker.remove()
        guard.communicate()


def _properties(values: dict[str, Any]) -> str:
    return "\n".join(f"{name}={value}" for name, value in values.items())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As RocketMQ does: connections of a former one that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
