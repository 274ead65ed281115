"""What keeps a process or a command from starting, told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.departments import DepartmentSettingsError
from adapters.key_directory import KeyDirectoryError
from adapters.storage.engine import DatabaseUrlError
from adapters.trust_directory import TrustDirectoryError
from gateway.crypto.sealing import KeyProviderError
from gateway.errors import Overloaded
from gateway.settings import PREFIX, SettingsError

_SENTENCES = {
    "record.database_unreachable": (
        f"The database of {PREFIX}DATABASE_URL does not answer; start it, or mend its address, user or password."
    ),
    "record.schema_not_current": "The database does not have the schema of this version; run: bandian migrate",
    "record.schema_newer": (
        "The database belongs to a newer version, which this one cannot work beside; start the newer version."
    ),
    "record.schema_locked": (
        "A table was in use all the time, so that the schema was not changed; run bandian migrate again when less "
        "goes on."
    ),
    "record.restored_not_adopted": (
        "The database was restored from a backup and is not adopted yet; read docs/operations/backup.md, then run: "
        "bandian adopt-restored"
    ),
}
_ALREADY_SENTENCES = (
    SettingsError,
    KeyDirectoryError,
    KeyProviderError,
    TrustDirectoryError,
    DepartmentSettingsError,
    DatabaseUrlError,
)


class StartRefused(ValueError):
    """The start is refused; the text is one sentence for the operator, without any value that may be secret."""


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """Raises ``StartRefused`` for what an operator can mend: settings, keys, trust, files, the database."""
    try:
        yield
    except _ALREADY_SENTENCES as error:
        raise StartRefused(str(error)) from None
    except Overloaded as error:
        raise StartRefused(_SENTENCES.get(error.check, str(error))) from None
    except OSError as error:
        raise StartRefused(
            f"{error.filename or 'A file'} cannot be opened ({error.strerror}); give this user the rights to it."
        ) from None
