"""Where each process listens, which setting moves it, and which path says that it can work."""

from dataclasses import dataclass

from eventcenter.settings import PREFIX, Settings
from eventcenter.supervisor import local_url


@dataclass(frozen=True, kw_only=True)
class Address:
    """One process's place."""

    process: str
    host: str
    port: int
    setting: str
    """The variable that moves the port."""
    ready_path: str

    @property
    def ready_url(self) -> str:
        """Answers 200 on this machine once the process can work."""
        return local_url(self.host, self.port, self.ready_path)


def addresses(settings: Settings) -> dict[str, Address]:
    """By the process's name, in the order of starting; the demo's is its robot stand-in."""
    rows = (
        ("ingest", settings.ingest_host, settings.ingest_port, "INGEST_PORT", "/readyz"),
        ("server", settings.api_host, settings.api_port, "API_PORT", "/readyz"),
        ("dashboard", settings.dashboard_host, settings.dashboard_port, "DASHBOARD_PORT", "/_stcore/health"),
        ("demo", "127.0.0.1", settings.robot_port, "ROBOT_PORT", "/"),
    )
    return {
        process: Address(process=process, host=host, port=port, setting=PREFIX + setting, ready_path=path)
        for process, host, port, setting, path in rows
    }
