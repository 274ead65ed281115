"""``python -m mock_services.demo.trust --from DIR --from DIR --out DIR``: one trust directory out of several.

What an operator does once by hand: the anchors and intermediates of everybody who is to be believed side by side, and
their entitlements in one ``issuers.json``. A file of the same name and another content is refused.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDERS = ("anchors", "intermediates")


def put_together(parts: Sequence[Path], out: Path) -> None:
    """Write ``out`` from ``parts``. Raises ``ValueError`` for two different certificates of one name, ``OSError``."""
    issuers: list[Any] = []
    certificates: dict[tuple[str, str], bytes] = {}
    for part in parts:
        issuers += json.loads((part / "issuers.json").read_text("utf-8"))
        for folder in FOLDERS:
            for path in sorted((part / folder).glob("*.pem")):
                found = path.read_bytes()
                if certificates.setdefault((folder, path.name), found) != found:
                    raise ValueError(f"{folder}/{path.name} stands in two directories with different content")
    for folder in FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)
    for (folder, name), found in certificates.items():
        (out / folder / name).write_bytes(found)
    (out / "issuers.json").write_text(json.dumps(issuers, ensure_ascii=False, indent=2) + "\n", "utf-8")


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(prog="python -m mock_services.demo.trust", description=__doc__)
    parser.add_argument("--from", dest="parts", type=Path, action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        put_together(options.parts, options.out)
    except (OSError, ValueError) as error:
        sys.exit(f"trust: {error}")


if __name__ == "__main__":
    main()
