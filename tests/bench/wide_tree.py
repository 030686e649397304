"""What all shapes of wide events have in common.

A shape is a tree of plain JSON with leaves to fill in. In a string `‹name›` stands for a text, the whole
string `«name»` for a JSON value of any type. Names are those of tests.bench.wide_values, of the ids that are
fresh each time (tests.bench.wide), and of the event's own time.
"""

from typing import Any

Tree = dict[str, Any]
TIME = "‹hour›‹minute_second›Z"
ENVIRONMENT = (
    "DATABASE_URL",
    "REDIS_HOST",
    "LOG_LEVEL",
    "JAVA_OPTS",
    "HTTP_PROXY",
    "FEATURE_FLAGS",
    "REGION",
    "POD_NAME",
    "POD_IP",
    "GOMAXPROCS",
    "OTEL_SERVICE_NAME",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "KAFKA_BROKERS",
    "TZ",
    "MAX_CONNECTIONS",
    "CACHE_TTL_S",
    "S3_BUCKET",
    "VAULT_ADDR",
    "SENTRY_DSN",
    "BUILD",
)


def envelope(type_: str, source: str, subject: str, data: Tree, **extensions: Any) -> Tree:
    """The event around its data."""
    return {
        "specversion": "1.0",
        "id": "‹uuid›",
        "source": source,
        "type": type_,
        "subject": subject,
        "time": "‹now›",
        "datacontenttype": "application/json",
        "traceparent": "00-‹trace›-‹span›-01",
        **extensions,
        "data": data,
    }
