"""Writes the committed vectors anew: ``python -m tests.vectors.make [FOLDER…]``. Keys are fresh and thrown away.

Run it only to add cases: the value of the committed bytes is that they do not follow later changes of our own code.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.tokens import AT
from tests.vectors.makers import chains, der, ecertificates, ofd, signatures, tokens

HERE = Path(__file__).parent


def write_index(folder: Path, content: dict[str, Any]) -> None:
    """``index.json``: what the cases share, and one line for each."""
    cases = content.pop("cases")
    shared = json.dumps(content, ensure_ascii=False, indent=1)[:-2]
    lines = ",\n  ".join(json.dumps(case, ensure_ascii=False) for case in cases)
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_text(f'{shared},\n "cases": [\n  {lines}\n ]\n}}\n', "utf-8")


def write_tokens(folder: Path) -> None:
    shared, made = tokens.about()
    for name, data, _, _ in made:
        (folder / f"{name}.jwt").write_bytes(data)
    cases = [{"name": name, "check": check, "why": why} for name, _, check, why in made]
    write_index(folder, shared | {"cases": cases})


def write_ofd(folder: Path) -> None:
    shared, certificates, made = ofd.about()
    for name, data in certificates.items():
        (folder / name).write_bytes(data)
    for name, data, _, _ in made:
        (folder / f"{name}.ofd").write_bytes(data)
    cases = [{"name": name, "verdict": verdict, "why": why} for name, _, verdict, why in made]
    write_index(folder, shared | {"cases": cases})


FOLDERS: dict[str, Callable[[Path], None]] = {
    "chains": lambda folder: write_index(folder, {"at": AT.isoformat(), "cases": chains.cases()}),
    "der": lambda folder: write_index(folder, {"encoding": "hex", "cases": der.cases()}),
    "ecertificates": ecertificates.write,
    "ofd": write_ofd,
    "signatures": lambda folder: write_index(folder, {"encoding": "hex", "cases": signatures.cases()}),
    "tokens": write_tokens,
}


if __name__ == "__main__":
    for name in sys.argv[1:] or FOLDERS:
        target = HERE / name
        target.mkdir(exist_ok=True)
        for old in target.iterdir():
            old.unlink()
        FOLDERS[name](target)
