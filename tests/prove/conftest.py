"""What is collected here. An older release is taken from the repository's history, and a clone may have none of it."""

from tests.prove.older import Unfit, full_name, named


def _older_release_is_here() -> bool:
    try:
        return bool(full_name(named()))
    except Unfit:
        return False


# Not skipped: no machine can be given a history that its clone was made without.
collect_ignore = [] if _older_release_is_here() else ["test_mixed_versions.py"]
