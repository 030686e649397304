"""RocketMQ messages ⇄ events: pure functions, without any RocketMQ package."""

from ingest.bindings.rocketmq.decode import Decoded, Decoding, Layout, decode
from ingest.bindings.rocketmq.encode import encode
from ingest.bindings.rocketmq.message import Message, Origin

__all__ = ["Decoded", "Decoding", "Layout", "Message", "Origin", "decode", "encode"]
