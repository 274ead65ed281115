"""``python -m verify_evidence``; also the folder itself, or the one file that ``python -m zipapp`` makes of it."""

import sys
from pathlib import Path
from types import ModuleType

if not __package__:  # nothing has said yet that these modules belong together
    __package__ = "verify_evidence"
    sys.modules[__package__] = ModuleType(__package__)
    sys.modules[__package__].__path__ = [str(Path(__file__).parent)]

from .command import main

if __name__ == "__main__":
    sys.exit(main())
