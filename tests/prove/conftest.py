"""What is collected here: the drill with an older release where ``UPGRADE_DRILL=yes`` asks for its two minutes.

An older release is taken from the repository's history, and a clone may have none of it.
"""

import os

from tests.prove.older import Unfit, full_name, named


def _older_release_is_here() -> bool:
    try:
        return bool(full_name(named()))
    except Unfit:
        return False


# Not skipped: no machine can be given a history that its clone was made without.
_ASKED = os.environ.get("UPGRADE_DRILL") == "yes"
collect_ignore = [] if _ASKED and _older_release_is_here() else ["test_mixed_versions.py"]
