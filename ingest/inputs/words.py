"""What is said of inputs, in both languages."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ingest.inputs.ledger import GapKind, Why
from ingest.inputs.shapes import Words


class Said(NamedTuple):
    """A sentence on how an input is, and what to do."""

    text: Words
    remedy: Words | None = None


def _words(en: str, zh: str) -> Words:
    return Words(en=en, zh=zh)


PAUSED: Final = Said(
    _words("It is paused; its messages wait at the broker.", "已暂停，消息在 Broker 中等待。"),
    _words("Resume it to go on where it stopped.", "恢复后从停止处继续接收。"),
)
ABSENT: Final = Said(
    _words("No ingest service runs.", "没有正在运行的接入服务。"),
    _words(
        "Start one: eventcenter up, or eventcenter serve.",
        "请启动接入服务：eventcenter up 或 eventcenter serve。",
    ),
)
STARTING: Final = Said(_words("It is starting.", "正在启动。"))
RECEIVING: Final = Said(_words("It receives, and is up to date.", "接收正常，没有积压。"))
BEHIND: Final = Said(
    _words("It receives, and catches up with what waits.", "正在接收，追赶积压的消息。"),
)
GAPS: Final = Said(
    _words("It receives, and messages are missing.", "正在接收，但有消息缺失。"),
    _words(
        "See the gaps: what the broker still has is fetched by itself.",
        "请查看缺口：Broker 中仍有的消息会自动补取。",
    ),
)
UNDER_WAY: Final = Said(_words("It receives; messages are under way.", "接收正常，有消息在途。"))
UNKNOWN_LAG: Final = Said(
    _words("It receives. How much waits is not known.", "接收正常，积压量未知。"),
)
NOTHING_YET: Final = Said(
    _words("It is ready. No message has come yet.", "已就绪，尚未收到消息。"),
)
WAITING: Final = Said(
    _words(
        "It waits: the journal has no room until the server has loaded more.",
        "等待中：日志空间不足，需等待服务器加载。",
    ),
    _words(
        "See whether the server runs, and whether the disk is full.", "请检查服务器是否运行、磁盘是否已满。"
    ),
)
BROKEN: Final = Said(_words("It cannot receive.", "无法接收。"))
PARTLY_BROKEN: Final = Said(_words("A part of it cannot be received.", "部分内容无法接收。"))


def absent(service: str) -> Said:
    """The one ingest service that should run it does not."""
    return Said(
        _words(f"Its ingest service {service} does not run.", f"指定的接入服务 {service} 未运行。"),
        _words(
            "Start this service, or let another one run the input.",
            "请启动该服务，或改由其他接入服务运行此输入。",
        ),
    )


WHY: Final[Mapping[Why, Words]] = {
    Why.FILTERED: _words(
        "It is filtered: offsets without a message may be ones that nobody wanted.",
        "设置了过滤条件：没有消息的偏移量可能只是被过滤掉了。",
    ),
    Why.UNREACHED: _words(
        "What the broker has is not known: this takes the name server's address.",
        "无法得知 Broker 中有哪些消息：需要填写 NameServer 地址。",
    ),
    Why.NOTHING: _words("Nothing was received yet.", "尚未收到消息。"),
    Why.UNREAD: _words("Nothing was received yet from some of the queues.", "部分队列尚未收到消息。"),
    Why.GAPS: _words("There are gaps.", "存在缺口。"),
    Why.APART: _words(
        "There is no time yet in which all queues are complete.", "各队列完整的时间段尚无交集。"
    ),
    Why.RETENTION: _words(
        "What is complete is older than what the archive keeps.", "完整的时间段早于归档的保留期限。"
    ),
}
PAUSED_SO_UNKNOWN: Final = _words(
    "What the broker has is not asked while it is paused.", "暂停期间不查询 Broker 中有哪些消息。"
)
COMPLETE: Final = _words("Every message of this time was received.", "该时间段内的每条消息都已收到。")
GAP: Final[Mapping[str, Words]] = {
    GapKind.MISSING: _words("not received", "未收到"),
    GapKind.DELETED: _words("deleted by the broker before it was received", "接收前已被 Broker 删除"),
    GapKind.SCATTERED: _words("somewhere between these", "在此范围内，具体位置不明"),
    "late": _words("under way, or handed out again soon", "在途，或即将重新投递"),
    "filtered": _words("filtered out, or not received", "被过滤，或未收到"),
}

NO_NAME_SERVER: Final = _words(
    "Without the name server's address no messages are shown: receiving some would take them from the group.",
    "未填写 NameServer 地址，因此不显示样例：接收消息会将其从消费组中取走。",
)
NO_MESSAGES: Final = _words("The topics hold no message.", "主题中没有消息。")
NO_SAMPLES: Final = _words("Messages could not be read.", "无法读取消息。")
TOO_LONG: Final = _words(
    "It took too long; what was found until then is shown.", "测试超时，仅显示已有的结果。"
)
