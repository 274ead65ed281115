"""One record: what the bundle holds of it at several sizes, each grown out of the one before (RFC 9162 §2.1.4)."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ..errors import NotProved, Refused
from ..examination import Examination
from ..reading import members_of
from ..record import SUPER_LOG, grown, hashes_of
from ..texts import PROVED

NAME = "consistency.json"
Offered = Mapping[tuple[Any, Any, Any], Mapping[str, Any]]


def check_growth(examined: Examination) -> bool:
    """Whether all checkpoints are of one record that only grew; the same is told of each log in it."""
    account = examined.object(NAME) or {}
    offered = {
        (str(each.get("log")), str(each.get("old_size")), str(each.get("new_size"))): each
        for each in members_of(account, "growth")
        if isinstance(each, dict)
    }
    checkpoints = {each.size: each.root for each in examined.checkpoints.values()}
    logs: dict[str, dict[int, bytes]] = {}
    for (log, size), root in examined.heads.items():
        logs.setdefault(log, {})[size] = bytes.fromhex(root)
    one = _all_grew(examined, SUPER_LOG, checkpoints, offered)
    for log, roots in sorted(logs.items()):
        _all_grew(examined, log, roots, offered)
    return one


def _all_grew(examined: Examination, log: str, roots: Mapping[int, bytes], offered: Offered) -> bool:
    sizes = sorted(roots)
    whole = True
    for old, new in pairwise(sizes):

        def grew(old: int = old, new: int = new) -> None:
            proof = offered.get((log, str(old), str(new)))
            if proof is None:
                raise NotProved("the bundle brings no proof of it")
            if grown(old, new, hashes_of(proof, "proof"), roots[old]) != roots[new]:
                raise Refused("the later one does not follow from the earlier one")

        whole &= examined.attempt(grew, "record.forked", NAME, "record.apart", log=log, old=old, new=new)
    if whole and len(sizes) > 1:
        examined.say(PROVED, "record.grown", NAME, log=log, sizes=" ".join(map(str, sizes)))
    return whole
