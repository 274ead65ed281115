"""Starts a mock as its own process, as the demo does, and stops it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_mock(module: str, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``python -m {module} --port 0 …``: yields its URL and the process; ends it with SIGTERM.

    Raises ``RuntimeError`` with what the mock said when it does not come up.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0", *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if not line:
            process.wait(5)
            raise RuntimeError(process.stderr.read())
        try:
            yield json.loads(line)["url"], process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
