"""An older release, taken from the repository's history and run as it was: its own files, in processes of its own."""

import asyncio
import contextlib
import ctypes
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.launched import Child

ROOT = Path(__file__).parents[2]
NAMED = Path(__file__).with_name("older_release.txt")
"""One line: the full name of the commit that stands for the release before this one."""
_OF_ITSELF = """
import json, adapters, gateway
from adapters.storage import schema_version
from gateway.settings import PREFIX, Settings
print(json.dumps({
    "files": [gateway.__file__, adapters.__file__],
    "schema": schema_version.newest(),
    "asks_the_database": hasattr(schema_version, "SERVES_FROM"),
    "settings": [PREFIX + name.upper() for name in Settings.model_fields],
}))
"""


class Unfit(Exception):
    """This revision cannot stand for an older release here; the text says why."""


def named() -> str:
    """The revision that the repository names."""
    return NAMED.read_text("ascii").strip()


def full_name(revision: str) -> str:
    """Of a commit in the repository that this file lies in. Raises ``Unfit``: shallow clones and exports have none."""
    try:
        found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except OSError:
        raise Unfit("there is no git here to take an older release from") from None
    if found.returncode != 0:
        raise Unfit(f"{revision} is not in the history that is here")
    return found.stdout.decode("ascii").strip()


class OlderRelease:
    """The code of a revision in ``directory``, started as ``python -m`` does; what still runs at the end is killed.

    ``python`` is an interpreter with what the revision needs, ``schema`` the head of its migrations.
    ``serves_beside`` says whether it knows to ask a newer schema if it may work on.
    """

    def __init__(self, revision: str, directory: Path) -> None:
        self.revision = revision
        self.schema, self.serves_beside = "", False
        self._settings = frozenset[str]()
        self.python = Path(sys.executable)
        self._tree = directory
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._count = 0

    async def extract(self, *, own_environment: bool = False) -> None:
        """Write its files down; with ``own_environment`` also install what its locks pin. Raises ``Unfit``."""
        archive = await asyncio.to_thread(_git, "archive", "--format=tar", full_name(self.revision))
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
            tree.extractall(self._tree, filter="data")
        if own_environment:
            made = await asyncio.to_thread(
                subprocess.run, [".ci/bootstrap", ".venv"], cwd=self._tree, capture_output=True, text=True, check=False
            )
            if made.returncode != 0:
                raise Unfit(f"its environment cannot be made: {made.stderr[-500:]}")
            self.python = self._tree / ".venv" / "bin" / "python"
        await asyncio.to_thread(self._ask)

    def same_locks(self) -> bool:
        """Whether it is pinned to the very packages that today's code is."""
        return (self._tree / "requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()

    def _ask(self) -> None:
        """What its own code says of itself. Raises ``Unfit`` where that cannot be asked, or is not its own."""
        asked = subprocess.run(
            [self.python, "-c", _OF_ITSELF],
            cwd=self._tree, env=self._environment({}), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if asked.returncode != 0:
            raise Unfit(f"it cannot be asked what schema it has: {asked.stderr.strip()[-300:]}")
        said = json.loads(asked.stdout)
        if not all(Path(file).resolve().is_relative_to(self._tree.resolve()) for file in said["files"]):
            raise Unfit("its interpreter imports other files than its own")
        self.schema, self.serves_beside = said["schema"], said["asks_the_database"]
        self._settings = frozenset(said["settings"])

    async def start(
        self,
        module: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        out: Path | None = None,
    ) -> Child:
        """``python -m module …`` among its files; as ``Starter`` says."""
        with log.open("ab") as errors, (out or log).open("wb" if out else "ab") as printed:
            process = await asyncio.create_subprocess_exec(
                *(str(self.python), "-m", module, *arguments),
                stdin=subprocess.DEVNULL, stdout=printed, stderr=errors, cwd=self._tree,
                env=self._environment(environment or {}), start_new_session=True, preexec_fn=_ended_with_us,
            )  # fmt: skip
        self._count += 1
        child = Child(self._count, process.pid)
        child.started.set()
        self._running[child.number] = process
        watching = asyncio.create_task(self._watch(child, process))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        return child

    async def _watch(self, child: Child, process: asyncio.subprocess.Process) -> None:
        child.code = await process.wait()
        del self._running[child.number]
        child.ended.set()

    def _environment(self, asked: Mapping[str, str]) -> dict[str, str]:
        """This process's own without settings, nothing by which Python would find today's files first, and ``asked``
        as far as this release knows it: it refuses settings that came later, which operators set after it has gone.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BANDIAN_", "PYTHON"))}
        known = {
            name: value
            for name, value in asked.items()
            if not name.startswith("BANDIAN_") or name.partition("__")[0] in self._settings
        }
        return {**kept, **known}

    async def __aenter__(self) -> "OlderRelease":
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*self._watching)


def _git(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def _ended_with_us() -> None:
    """In the child: killed when the harness dies, whatever kills it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
