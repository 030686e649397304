"""The services of accounts, built together. Each checks by itself what its principal may do."""

from eventcenter.accounts.buses import Buses, BusStatistics, no_statistics
from eventcenter.accounts.passwords import Passwords
from eventcenter.accounts.sessions import Sessions
from eventcenter.accounts.tenants import Tenants
from eventcenter.accounts.tokens import Tokens
from eventcenter.accounts.trail import Trail
from eventcenter.accounts.users import Users
from eventcenter.cursor import Cursors
from eventcenter.settings import Settings
from eventcenter.store import Store


class Accounts:
    """Sessions, tenants, buses, tokens, users and the audit over one store.

    `bus_statistics` says how much each bus of a tenant holds; the one who builds the server knows.
    `cursor_key` signs cursors; without one they are good for as long as the process lives.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        bus_statistics: BusStatistics = no_statistics,
        cursor_key: bytes | None = None,
    ) -> None:
        self.sessions = Sessions(store, settings, Passwords())
        self.tenants = Tenants(store)
        self.buses = Buses(store, bus_statistics)
        self.tokens = Tokens(store)
        self.users = Users(store)
        self.trail = Trail(store, Cursors(cursor_key))
