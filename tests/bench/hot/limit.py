"""What a path costs at the least: ``python -m tests.bench.hot.limit``, a server beside the gateway.

It does the same verifies, signs an answer of the same bytes, takes in the same request, and makes the same entry
durable before it answers – without a framework, an SQL layer, most headers, or a question whether that is allowed.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.hot.limit_intake import IntakeLimit
from tests.bench.hot.limit_licence import LicenceLimit
from tests.bench.hot.limit_live import LiveLimit
from tests.bench.hot.limit_progress import ProgressLimit
from tests.bench.hot.limit_record import Record
from tests.bench.hot.limit_store import Store, open_store
from tests.bench.hot.wire import Handler, serve

LIMITS: dict[str, Callable[[dict[str, Any], Record], Handler]] = {
    "licence": LicenceLimit,
    "live": LiveLimit,
    "progress": ProgressLimit,
    "intake": IntakeLimit,
}
"""By what the work says that it does."""


def _ready(work: dict[str, Any], store: Store) -> Callable[[], Handler]:
    return lambda: LIMITS[work["does"]](work, Record(store))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True, help="JSON: what it does, with which keys and bytes")
    parser.add_argument("--database", required=True, help="a new SQLite file, or the URL of an empty PostgreSQL")
    options = parser.parse_args()
    work = json.loads(options.work.read_text("utf-8"))
    serve(_ready(work, open_store(options.database)), options.port)


if __name__ == "__main__":
    main()
