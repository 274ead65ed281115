"""What a process of a run is told by files: where to die, and how late it is."""

import struct
from pathlib import Path

from tests.prove.launch import ARMED, CLOCK, FIRED, FSYNC_FAILS, SLOT


class Slot:
    """A place for one process of the gateway: what the launcher's code in it is told by files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        self.set_clock(0.0)

    @property
    def environment(self) -> dict[str, str]:
        """What its process must be started with."""
        return {SLOT: str(self.directory)}

    def arm(self, boundary: str, hit: int) -> None:
        """Die at the ``hit``-th time ``boundary`` is passed from now on."""
        self.disarm()
        draft = self.directory / "arming"
        draft.write_text(f"{boundary} {hit}", "ascii")
        draft.rename(self.directory / ARMED)

    def disarm(self) -> None:
        """Not any more."""
        for name in (ARMED, FIRED):
            (self.directory / name).unlink(missing_ok=True)

    def fired(self) -> bool:
        """Whether the process died at the boundary it was armed with."""
        return (self.directory / FIRED).exists()

    def set_clock(self, seconds: float) -> None:
        """The process's clock is so many seconds ahead (or, negative, behind)."""
        path = self.directory / CLOCK
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as stream:
            stream.write(struct.pack("<d", seconds))

    def fail_fsync(self, *, fails: bool) -> None:
        """Whether ``fsync`` fails in the process, where the shim is loaded."""
        switch = self.directory / FSYNC_FAILS
        if fails:
            switch.touch()
        else:
            switch.unlink(missing_ok=True)
