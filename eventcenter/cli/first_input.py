"""The input that `eventcenter up --rocketmq` makes; imported only where it is asked for."""

from eventcenter.access import Principal
from eventcenter.rocketmq.address import Address, parse_addresses
from eventcenter.rocketmq.remoting import NAME_SERVER_PORT, asked_of
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.bootstrap import DEFAULT_BUS, DEFAULT_TENANT
from eventcenter.store.models import Input, Tenant
from eventcenter.store.secrets import SecretBox
from eventcenter.store.sql import select
from ingest.inputs.book import InputBook
from ingest.inputs.connection import config_of
from ingest.inputs.shapes import NewInput, TopicBody

_PATIENCE_S = 1.0


def first_input(chosen: Settings, *, addresses: str, name_servers: str | None, topic: str, group: str) -> str:
    """Make the input of the tenant `default` unless one reads in that group; what is to be said of it.

    Without `name_servers` one is looked for where the proxy is. Raises InvalidInput, Conflict.
    """
    with Store.open(chosen) as store:
        tenant_id = store.read(
            lambda session: session.scalar(select(Tenant.id).where(Tenant.name == DEFAULT_TENANT))
        )
        who = Principal.local(tenant_id)
        book = InputBook(store=store, secrets=SecretBox(chosen), settings=chosen)
        proxies = set(parse_addresses(addresses))
        there = next((row for row in book.all(who) if _is_it(row, proxies, group)), None)
        if there is not None:
            paused = "" if there.enabled else ", which is paused"
            return f"RocketMQ      {addresses}: input {there.name} is there already{paused}"
        found = name_servers if name_servers is not None else _beside(parse_addresses(addresses)[0])
        names = {row.name for row in book.all(who)}
        name = next(
            name for name in ("rocketmq", *(f"rocketmq {n}" for n in range(2, 1000))) if name not in names
        )
        book.create(
            who,
            NewInput(
                name=name,
                addresses=addresses,
                group=group,
                topics=[TopicBody(topic=topic, bus=DEFAULT_BUS)],
                name_servers=found,
            ),
        )
        known = f"name server {found}" if found else "no name server, so lag and gaps are not known"
        return (
            f"RocketMQ      {addresses}: made input {name}, topic {topic} → bus {DEFAULT_BUS}, group {group},"
            f" {known}"
        )


def _is_it(row: Input, proxies: set[Address], group: str) -> bool:
    config = config_of(row)
    return config.group == group and bool(proxies & set(parse_addresses(config.addresses)))


def _beside(proxy: Address) -> str:
    """The name server at the proxy's host, if one answers at its usual port; else nothing."""
    address = Address(host=proxy.host, port=NAME_SERVER_PORT)
    said = asked_of(address, _PATIENCE_S)
    return str(address) if said is not None and said.startswith("a name server") else ""
