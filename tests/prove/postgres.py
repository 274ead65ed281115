"""A PostgreSQL server of the harness's own, with fsync on, that can be killed whole and started again."""

import asyncio
import contextlib
import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from mock_services.demo.processes import free_port
from tests.prove.machine import Skipped
from tests.prove.processes import Slot

DATABASE = "bandian"
_STARTS_WITHIN = 90.0
_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
    "restart_after_crash": "on",
    "logging_collector": "off",
}


def server_programs() -> Path:
    """Where ``initdb`` and ``postgres`` lie. Raises ``Skipped``."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise Skipped("PostgreSQL: its server programs are not here")
    return Path(on_path).parent


class Cluster:
    """A cluster in ``directory``; ``slot`` is where the server's own fsync switch lies."""

    def __init__(self, directory: Path, slot: Slot, log: Path, shim: Path | None) -> None:
        self.slot = slot
        self._programs = server_programs()
        self._data, self._log, self._sockets = directory / "data", log, directory
        self._user = "postgres" if os.geteuid() == 0 else None
        self._environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", **slot.environment}
        if shim is not None:
            self._environment["LD_PRELOAD"] = str(shim)
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where the server itself answers, without the proxy."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"

    async def create(self) -> None:
        """Make the cluster, start it and make the database."""
        directory = self._data.parent
        directory.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            shutil.chown(directory, self._user, pwd.getpwnam(self._user).pw_gid)
        await asyncio.to_thread(self._initialise)
        await self.start()
        async with await psycopg.AsyncConnection.connect(
            self.address.rsplit("/", 1)[0] + "/postgres", autocommit=True
        ) as admin:
            await admin.execute(f"CREATE DATABASE {DATABASE}")

    def _initialise(self) -> None:
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*command, "--no-locale", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, env=self._environment, user=self._user, cwd="/",
        )  # fmt: skip

    async def start(self) -> None:
        """Start the server and wait until it answers; one that gives up (its disk may be full) is started again."""
        ends = time.monotonic() + _STARTS_WITHIN
        while True:
            if self._server is None or self._server.poll() is not None:
                (self._data / "postmaster.pid").unlink(missing_ok=True)
                self._server = self._launched()
            if await self.answers():
                return
            if time.monotonic() > ends:
                raise RuntimeError(f"PostgreSQL does not start; see {self._log}")
            await asyncio.sleep(0.1)

    def _launched(self) -> subprocess.Popen[bytes]:
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": ""}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._environment,
                user=self._user, cwd="/", start_new_session=True, preexec_fn=_ended_with_us,
            )  # fmt: skip

    async def answers(self) -> bool:
        """Whether a connection can be made now."""
        with contextlib.suppress(psycopg.Error, OSError):
            async with await psycopg.AsyncConnection.connect(
                self.address.rsplit("/", 1)[0] + "/postgres", connect_timeout=3
            ):
                return True
        return False

    def kill(self) -> bool:
        """SIGKILL to the server and every process of it, so that none is left holding its memory.

        False where it was not running.
        """
        if self._server is None or self._server.poll() is not None:
            return False
        self._server.send_signal(signal.SIGSTOP)
        children = _children_of(self._server.pid)
        for pid in (self._server.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()
        return True

    def kill_one_backend(self, pick: int) -> bool:
        """SIGKILL to one process that serves a connection: the server then resets all of them and recovers."""
        if self._server is None or self._server.poll() is not None:
            return False
        serving = [pid for pid in _children_of(self._server.pid) if "bandian" in _title(pid)]
        if not serving:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(sorted(serving)[pick % len(serving)], signal.SIGKILL)
        return True

    async def stop(self) -> None:
        """End it in good order, however it stands."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            try:
                await asyncio.to_thread(self._server.wait, 20)
            except subprocess.TimeoutExpired:
                self.kill()

    def version(self) -> str:
        """``16.3``."""
        said = subprocess.run(
            [str(self._programs / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
        found = re.search(r"[0-9]+(\.[0-9]+)*", said.stdout)
        return found[0] if found else said.stdout.strip()


def _ended_with_us() -> None:
    """In the child: an immediate shutdown when the harness dies, whatever kills it."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _children_of(parent: int) -> list[int]:
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int((directory / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(directory.name))
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
