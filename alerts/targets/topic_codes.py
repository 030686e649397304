"""What RocketMQ's answers mean: the one table that says what follows, and what a person should do."""

from collections.abc import Mapping
from typing import Final

from alerts.targets.kind import REPORT, Code, Outcome, code
from eventcenter.rocketmq.commands import topic_command
from eventcenter.rocketmq.outgoing import NOT_ALLOWED, NOT_KNOWN, STORED

_TOPIC = (
    f"Check name and namespace, or make it: {topic_command('{topic}')}",
    f"请核对主题名称与命名空间，或创建主题：{topic_command('{topic}')}",
)
_NO_TOPIC = ("RocketMQ has no topic {topic}.", "RocketMQ 中没有主题 {topic}。")
_LARGE = ("The event is larger than RocketMQ takes.", "事件超过 RocketMQ 的消息大小上限。")
_LARGER = (
    "Leave such events out with the rule's pattern, or raise maxMessageSize of broker and proxy (4 MiB).",
    "请用规则的匹配条件排除此类事件，或调大 Broker 与 Proxy 的 maxMessageSize（默认 4 MiB）。",
)
_ADDRESS = (
    "Correct the target's addresses: host and grpcServerPort of a proxy, 8081 by default.",
    "请更正目标的地址：Proxy 的主机与 grpcServerPort（默认 8081）。",
)
_RETRIED = (
    "It is tried again by itself. If it lasts: does the proxy run, and may this server reach it?",
    "系统会自动重试。若持续出现，请检查 Proxy 是否运行，以及本服务器能否访问它。",
)
_LOOK = (
    "It is tried again by itself. If it lasts, read the answer shown with the delivery, and the proxy's log.",
    "系统会自动重试。若持续出现，请查看投递记录中的响应与 Proxy 日志。",
)
_ACCOUNTS = "mqadmin listUser -n NAMESERVER:9876 -c CLUSTER"
_ALLOW = "mqadmin createAcl -n NAMESERVER:9876 -c CLUSTER -s User:ACCESS_KEY -r Topic:{topic} -a Pub -d Allow"
_BAD = Outcome.BROKEN
_NO = Outcome.REJECTED

CODES: Final[tuple[Code, ...]] = (
    code("ok", STORED, Outcome.OK, ("RocketMQ has it.", "RocketMQ 已存储。"), ("", "")),
    code("no_topic", 40402, _BAD, _NO_TOPIC, _TOPIC),
    # What a proxy says that is asked to send to one.
    code("no_topic_type", 40014, _BAD, _NO_TOPIC, _TOPIC, "is unspecified"),
    code(
        "topic_type",
        40014,
        _BAD,
        ("The topic {topic} takes no normal messages.", "主题 {topic} 不接受普通消息。"),
        (
            f"Choose a topic with message.type NORMAL, or make one: {topic_command('TOPIC')}",
            f"请选择 message.type 为 NORMAL 的主题，或新建主题：{topic_command('TOPIC')}",
        ),
    ),
    code(
        "topic_name",
        40002,
        _BAD,
        ("RocketMQ refuses the topic's name {topic}.", "RocketMQ 不接受主题名称 {topic}。"),
        ("Correct the target's topic.", "请更正目标的主题。"),
    ),
    code(
        "credentials",
        NOT_KNOWN,
        _BAD,
        ("RocketMQ at {address} does not accept the credentials.", "{address} 的 RocketMQ 不接受该凭据。"),
        (
            f"Correct access key and secret key. To list the accounts: {_ACCOUNTS}",
            f"请更正 Access Key 与 Secret Key。列出账号：{_ACCOUNTS}",
        ),
    ),
    code(
        "permission",
        NOT_ALLOWED,
        _BAD,
        (
            "RocketMQ does not let this account send to the topic {topic}.",
            "该账号无权向主题 {topic} 发送消息。",
        ),
        (f"Allow it: {_ALLOW}", f"请授权：{_ALLOW}"),
    ),
    code("too_large", 41301, _NO, _LARGE, _LARGER),
    code("too_large_for_broker", 50001, _NO, _LARGE, _LARGER, "body size exceeded"),
    code(
        "properties",
        43101,
        _NO,
        ("The event has more attributes than RocketMQ takes.", "事件属性超过 RocketMQ 的上限。"),
        (
            "Leave such events out with the rule's pattern.",
            "请用规则的匹配条件排除此类事件。",
        ),
    ),
    *(
        code(name, errcode, Outcome.BUG, ("RocketMQ refuses the message.", "RocketMQ 拒绝了该消息。"), REPORT)
        for name, errcode in (
            ("tag", 40004),
            ("key", 40005),
            ("property", 40007),
            ("message_id", 40009),
            ("different_topics", 40016),
            ("empty_body", 41302),
        )
    ),
    code(
        "too_many",
        42900,
        Outcome.RETRY,
        ("The proxy has too many requests.", "Proxy 请求过多。"),
        (
            "It is tried again by itself; more proxies help when this lasts.",
            "系统会自动重试；若持续出现，可增加 Proxy。",
        ),
    ),
    code(
        "unknown_host",
        None,
        Outcome.RETRY,
        ("The proxy's host name is not known here ({address}).", "无法解析 Proxy 的主机名（{address}）。"),
        (
            "It is tried again by itself. If it lasts: check how the name is written, and this server's DNS.",
            "系统会自动重试。若持续出现，请检查主机名写法与本服务器的 DNS。",
        ),
        "is not known here",
    ),
    code(
        "no_listener",
        None,
        Outcome.RETRY,
        ("Nothing listens at {address}.", "{address} 无服务监听。"),
        _RETRIED,
        "nothing listens",
    ),
    code(
        "no_proxy",
        None,
        _BAD,
        (
            "At {address} something else answers, not a RocketMQ 5 proxy.",
            "{address} 不是 RocketMQ 5 的 Proxy。",
        ),
        _ADDRESS,
        "not a proxy",
        "not rocketmq's protocol",
    ),
    code(
        "wants_tls",
        None,
        _BAD,
        ("The proxy at {address} wants TLS.", "{address} 的 Proxy 要求使用 TLS。"),
        ("Turn TLS on in the target.", "请在目标中启用 TLS。"),
        "wants tls",
    ),
    code(
        "certificate",
        None,
        _BAD,
        ("The certificate of the proxy at {address} is not trusted.", "{address} 的 Proxy 证书不受信任。"),
        (
            "Give the target the certificate of the authority that signed the proxy's; that names the host.",
            "请在目标中填写签发 Proxy 证书的 CA 证书，并确认证书与主机名一致。",
        ),
        "is not trusted",
    ),
    code(
        "no_tls",
        None,
        _BAD,
        ("At {address} nothing speaks TLS.", "{address} 不支持 TLS。"),
        ("Turn TLS off in the target, or on at the proxy.", "请在目标中关闭 TLS，或在 Proxy 启用 TLS。"),
        "nothing speaks tls",
    ),
    code(
        "not_installed",
        None,
        _BAD,
        ("What RocketMQ needs is not installed.", "未安装 RocketMQ 所需的组件。"),
        (
            'Run "pip install .[rocketmq]" in the checkout, or "make up", which installs it; then restart.',
            "请在代码目录运行 pip install .[rocketmq] 或 make up 进行安装，然后重启。",
        ),
        "is not installed",
    ),
)
"""Several rows of one code: the first whose words are in what was said counts, then the one without words."""

UNKNOWN: Final = code(
    "unknown",
    None,
    Outcome.RETRY,
    (
        "RocketMQ at {address} cannot take the event at the moment.",
        "{address} 的 RocketMQ 暂时无法接收事件。",
    ),
    _LOOK,
)
NO_ANSWER: Final = code(
    "no_answer",
    None,
    Outcome.RETRY,
    ("No RocketMQ proxy answered at {address} in time.", "{address} 的 RocketMQ Proxy 未及时响应。"),
    _RETRIED,
)
ALL_CODES: Final[Mapping[str, Code]] = {row.name: row for row in (*CODES, UNKNOWN, NO_ANSWER)}
