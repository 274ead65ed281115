"""What the faults need of the machine: a compiler for the fsync shim, root for a small disk. Each may be missing."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DISK_BYTES = 768 * 1024 * 1024
_MARGIN = 64 * 1024
SHIM = Path(__file__).with_name("fsync_fails.c")


class Skipped(Exception):
    """This machine cannot stage a fault; the text says why."""


def compile_shim(directory: Path) -> Path:
    """The library whose ``fsync`` can be made to fail. Raises ``Skipped``."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise Skipped("fsync errors: there is no C compiler")
    library = directory / "fsync_fails.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"fsync errors: the shim does not compile ({done.stderr.strip().splitlines()[-1:]})")
    return library


class SmallDisk:
    """A disk of its own for a database; ``fill`` leaves nothing free on it, ``clear`` gives the room back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._filler = directory / "filler"

    def fill(self) -> None:
        """Take all that is free, to the last block."""
        free = os.statvfs(self.directory)
        with self._filler.open("wb", buffering=0) as stream:
            rest = free.f_bavail * free.f_frsize
            while rest > 0:
                try:
                    os.posix_fallocate(stream.fileno(), os.fstat(stream.fileno()).st_size, min(rest, _MARGIN * 16))
                except OSError:
                    break
                rest -= _MARGIN * 16
            try:
                while True:
                    stream.seek(0, os.SEEK_END)
                    stream.write(bytes(4096))
            except OSError:
                pass

    def clear(self) -> None:
        """Free it again."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(directory: Path) -> Iterator[SmallDisk]:
    """A tmpfs mounted at ``directory``, unmounted afterwards. Raises ``Skipped``."""
    if os.geteuid() != 0:
        raise Skipped("full disk: only root can mount a small one")
    directory.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0755", "prove", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"full disk: a tmpfs cannot be mounted ({done.stderr.strip()})")
    try:
        yield SmallDisk(directory)
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=False)


def description() -> dict[str, Any]:
    """What figures depend on, without a name of the machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
