"""Commands of RocketMQ's administrator that our errors tell to run."""


def topic_command(topic: str) -> str:
    """The admin command that makes a topic."""
    return f"mqadmin updateTopic -n NAMESERVER:9876 -c CLUSTER -t {topic} -r 4 -w 4 -a +message.type=NORMAL"


def group_command(group: str) -> str:
    """The admin command that makes a consumer group."""
    return f"mqadmin updateSubGroup -n NAMESERVER:9876 -c CLUSTER -g {group}"
