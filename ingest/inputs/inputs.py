"""The server's side of inputs, its parts built together."""

from eventcenter.archive import Archives
from eventcenter.settings import Settings
from eventcenter.store import Store
from eventcenter.store.secrets import SecretBox
from ingest.inputs.ages import Ages
from ingest.inputs.book import InputBook
from ingest.inputs.fetching import FetchBook
from ingest.inputs.keeper import Keeper
from ingest.inputs.looks import Looks
from ingest.inputs.overview import Oldest, Overview
from ingest.inputs.trying import Trier


class Inputs:
    """Books, which check what a principal may, and the keeper that works on its own."""

    def __init__(
        self, *, store: Store, archives: Archives, secrets: SecretBox, settings: Settings, usage: Oldest
    ) -> None:
        """`usage` tells what a tenant's buses hold."""
        looks = Looks(archives, settings.journal_dir, store.clock)
        self.ages = Ages()
        self.book = InputBook(store=store, secrets=secrets, settings=settings)
        self.overview = Overview(store, self.book, looks, self.ages, usage)
        self.fetches = FetchBook(store=store, secrets=secrets, looks=looks, service=settings.ingest_name)
        self.trier = Trier(settings, store.clock)
        self.keeper = Keeper(
            store=store,
            looks=looks,
            overview=self.overview,
            ages=self.ages,
            fallback=settings.ingest_name,
        )
