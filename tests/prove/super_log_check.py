"""The super log and its checkpoints, computed anew: leaves, roots, and what was signed over them.

Shares no code with the gateway. Sources: RFC 9162 §2.1.1, C2SP tlog-checkpoint and signed-note.
"""

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.prove.record_check import Record, Tree, as_bytes

_LEAVES = "SELECT position, leaf_hash, leaf FROM record_super_leaves ORDER BY position"
_CHECKPOINTS = "SELECT size, root, note FROM record_checkpoints ORDER BY size"
_ED25519 = b"\x01"


def check_super_log(connection: Any, record: Record, keys: dict[str, Ed25519PublicKey]) -> None:
    """Adds what is wrong to ``record``, whose seals were walked before."""
    tree, roots = Tree(), dict[int, bytes]()
    for count, (position, stored, leaf) in enumerate(connection.execute(_LEAVES).fetchall()):
        computed = hashlib.sha256(b"\x00" + as_bytes(leaf)).digest()
        named = f"leaf {position} of the super log"
        if position != count or computed != as_bytes(stored):
            record.broken.append(f"{named} was changed, or one before it is gone")
        try:
            said = json.loads(as_bytes(leaf))
            log, holds = said["log"], record.roots.get((said["log"], said["number"]))
            told = (said["last"], bytes.fromhex(said["root"]))
        except (ValueError, KeyError):
            log, holds, told = None, None, (0, b"")
        if holds != told:
            record.broken.append(f"{named} is not what log {log} holds")
        tree.add(computed)
        roots[count + 1] = tree.root()
    for size, root, note in connection.execute(_CHECKPOINTS).fetchall():
        record.checkpoints += 1
        if roots.get(size) != as_bytes(root):
            record.broken.append(f"checkpoint {size} does not cover the super log")
        if not _signed(note, size, as_bytes(root), keys):
            record.broken.append(f"checkpoint {size} has no valid signature")


def _signed(note: str, size: int, root: bytes, keys: dict[str, Ed25519PublicKey]) -> bool:
    """Whether a key of the record signed the note, and the note says ``size`` and ``root``."""
    text, _, lines = note.partition("\n\n")
    origin, *said = text.split("\n")
    if said != [str(size), base64.b64encode(root).decode()]:
        return False
    public = [(key, key.public_bytes(Encoding.Raw, PublicFormat.Raw)) for key in keys.values()]
    by_id = {hashlib.sha256(origin.encode() + b"\n" + _ED25519 + raw).digest()[:4]: key for key, raw in public}
    for line in lines.splitlines():
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded)
        if (dash, name) == ("—", origin) and signature[:4] in by_id:
            try:
                by_id[signature[:4]].verify(signature[4:], f"{text}\n".encode())
            except InvalidSignature:
                return False
            return True
    return False
