"""What a process that serves does without: libraries of megabytes that its settings, or its requests, never ask for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVES = """
import asyncio, json, sys
from gateway.serving import ServingConfig

config = ServingConfig("gateway.cli:serving", factory=True, http="gateway.http.protocol:LaneProtocol", ws="none")
config.load()

async def main():
    app = config.loaded_app
    while not hasattr(app, "router"):
        app = app.app
    async with app.router.lifespan_context(app):
        print(json.dumps([name for name, module in sys.modules.items() if module is not None]))

asyncio.run(main())
"""
ONLY_WHERE_NEEDED = {
    "psycopg": "PostgreSQL",
    "nats": "a broker",
    "aiohttp": "a worker's metrics",
    "adapters.notice_channels.email": "e-mail",
    "xlsxwriter": "a spreadsheet",
    "weasyprint": "a page on paper",
    "segno": "a QR code",
    "alembic": "a migration",
    "rich": "colours",
    "greenlet": "another kind of threads",
    "httpx": "an address that is not plain",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """Names of the modules of a gateway that has just started on SQLite, delivering what it commits."""
    directory = tmp_path_factory.mktemp("heap")
    settings = {
        "BANDIAN_MODE": "development",
        "BANDIAN_DATABASE_URL": f"sqlite:///{directory}/gateway.sqlite3",
        "BANDIAN_KEY_DIR": str(directory / "keys"),
        "BANDIAN_TRUST_DIR": str(directory / "trust"),
        "BANDIAN_HEADS_DIR": str(directory / "heads"),
        "BANDIAN_LOG_LEVEL": "error",
    }
    environment = {**os.environ, **settings}
    root = Path(__file__).parents[2]
    for command in (["-m", "gateway.cli", "migrate"], ["-c", SERVES]):
        ended = subprocess.run(
            [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
    return frozenset(json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.parametrize("library", ONLY_WHERE_NEEDED)
def test_a_library_is_loaded_only_where_it_is_needed(loaded: frozenset[str], library: str) -> None:
    assert "sqlalchemy" in loaded
    assert not [name for name in loaded if f"{name}.".startswith(f"{library}.")], ONLY_WHERE_NEEDED[library]


LETS_GO = """
import resource

from gateway.heap import give_back

def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize()

held = [bytearray(1500) for _ in range(40_000)]
much = resident()
del held[:-1]
give_back()
print(much - resident())
"""


def test_what_was_let_go_is_the_systems_again() -> None:
    """Also below what is still held."""
    ended = subprocess.run([sys.executable, "-c", LETS_GO], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 40_000_000
