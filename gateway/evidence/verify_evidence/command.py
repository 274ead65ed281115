"""The command line."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .anchors import Anchors
from .archive import MAX_BUNDLE_BYTES
from .errors import Unreadable
from .report import verify_evidence
from .texts import PROVED, UNKNOWN, WITHHELD, WORDS, WRONG, Finding, printable


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(3, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; answers the exit code."""
    parser = _Parser(prog="verify-evidence", description="核验证据包 / verify an evidence bundle", exit_on_error=True)
    parser.add_argument("bundle", type=Path, help="证据包（.zip） / the bundle")
    parser.add_argument("--anchors", type=Path, required=True, metavar="DIR", help="信任材料目录 / whom to believe")
    parser.add_argument("--lang", choices=("zh", "en"), default="zh", help="输出语言 / language")
    options = parser.parse_args(arguments)
    try:
        try:
            with options.bundle.open("rb") as stream:
                bundle = stream.read(MAX_BUNDLE_BYTES + 1)
        except OSError as error:
            raise Unreadable(f"{options.bundle}: {error.strerror}") from None
        if len(bundle) > MAX_BUNDLE_BYTES or not bundle.startswith(b"PK\x03\x04"):
            raise Unreadable(f"{options.bundle}: not an evidence bundle")
        report = verify_evidence(bundle, Anchors.read(options.anchors))
    except Unreadable as error:
        _print(Finding(WRONG, "unreadable", "", {"why": str(error)}).text(options.lang), sys.stderr)
        return 3
    for finding in report.findings:
        _print(finding.text(options.lang), sys.stdout)
    counts: dict[str, object] = {mark: report.count(mark) for mark in (PROVED, UNKNOWN, WRONG, WITHHELD)}
    _print(printable(WORDS["summary"][0 if options.lang == "zh" else 1].format_map(counts)), sys.stdout)
    return report.exit_code


def _print(line: str, stream: Any) -> None:
    """A line, also where the terminal's encoding has no such characters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
