"""The jars of RocketMQ and of its Java client, fetched by Maven once, for all checkouts of this user."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

VERSION = "5.5.0"
OLD_VERSION = "4.9.7"
"""Of a RocketMQ that has no proxy."""
_POM = Path(__file__).with_name("pom.xml")
_JAVA_POM = Path(__file__).parents[2] / "rocketmq" / "java" / "pom.xml"
_PATIENCE_S = 600


class Unavailable(Exception):
    """This machine lacks what a RocketMQ needs; says what."""


def java() -> str:
    """The path of Java; raises Unavailable."""
    return _program("java", "RocketMQ needs it: install Java 17 (Debian: openjdk-17-jre-headless)")


def javac() -> None:
    """Whether Java can compile; raises Unavailable."""
    _program("javac", "the Java client's test needs it: install a JDK (Debian: openjdk-17-jdk-headless)")


def library() -> Path:
    """The folder of RocketMQ's jars: ROCKETMQ_LIB, or one in the user's cache.

    The name does not begin with EVENTCENTER_, as Event Center refuses settings that it does not know.
    """
    if given := os.environ.get("ROCKETMQ_LIB"):
        return Path(given).absolute()
    return _cached(f"rocketmq-{VERSION}")


def fetch() -> Path:
    """The folder of RocketMQ's jars, filled by Maven if it is not there; raises Unavailable."""
    return _fetched(library(), _POM, f"-Drocketmq.version={VERSION}", "-Drocketmq.server=rocketmq-proxy")


def fetch_old() -> Path:
    """The same for the jars of a RocketMQ 4."""
    return _fetched(
        _cached(f"rocketmq-{OLD_VERSION}"),
        _POM,
        f"-Drocketmq.version={OLD_VERSION}",
        "-Drocketmq.server=rocketmq-broker",
    )


def fetch_java_client() -> Path:
    """The same for the jars of the official Java client, and of the CloudEvents SDK for Java."""
    version = hashlib.sha256(_JAVA_POM.read_bytes()).hexdigest()[:12]
    return _fetched(_cached(f"rocketmq-java-{version}"), _JAVA_POM)


def _cached(name: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "eventcenter" / name


def _fetched(folder: Path, pom: Path, *properties: str) -> Path:
    """The folder, filled with the pom's jars.

    It takes its name only when it is complete, and of several processes only one fetches.
    """
    if folder.is_dir():
        return folder
    maven = _program(
        "mvn", "it fetches RocketMQ's jars: install Maven, or set ROCKETMQ_LIB to a folder of them"
    )
    java()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = folder.with_name(folder.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _copy(maven, pom, properties, unfinished)
            unfinished.rename(folder)
    return folder


def _copy(maven: str, pom: Path, properties: Sequence[str], into: Path) -> None:
    command = [
        maven,
        "--quiet",
        "--batch-mode",
        "--strict-checksums",
        f"--file={pom}",
        *properties,
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={into}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Maven did not fetch the jars of {pom} within {_PATIENCE_S} s") from None
    if done.returncode:
        raise Unavailable(f"Maven cannot fetch the jars of {pom}:\n{(done.stdout + done.stderr)[-2000:]}")


def _program(name: str, use: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not on the PATH; {use}")
    return found
