"""Which utilities serve a region, and which of them an application goes to."""

from collections.abc import Sequence

from gateway.applications.errors import NoUtility
from gateway.caller import Role
from gateway.errors import Owner
from gateway.partners.directory import DirectorySnapshot
from gateway.wording.phrases import Phrase, listed
from schemas.identifiers import region_levels

NOBODY = "该地区尚无接入的供电企业，请拨打 95598 咨询"


def utilities_of(snapshot: DirectorySnapshot, region: str) -> list[str]:
    """Active utilities that serve ``region``: those of the lowest level that has any (county → city → province)."""
    for level in region_levels(region):
        codes = sorted(
            partner.code
            for partner in snapshot.partners.values()
            if partner.active and partner.role is Role.UTILITY and level in partner.regions
        )
        if codes:
            return codes
    return []


def require_utilities(snapshot: DirectorySnapshot, region: str) -> list[str]:
    """``utilities_of``, at least one. Raises ``NoUtility``."""
    found = utilities_of(snapshot, region)
    if not found:
        raise _no_utility(NOBODY)
    return found


def choose_utility(serving: Sequence[str], chosen: str | None) -> str:
    """The one that was chosen, or the only one. Raises ``NoUtility``."""
    if chosen is None and len(serving) == 1:
        return serving[0]
    if chosen in serving:
        return str(chosen)
    if serving:
        raise _no_utility(Phrase("请从服务该地区的供电企业中选择：{utilities}", utilities=listed(serving)))
    raise _no_utility(NOBODY)


def _no_utility(remedy: str) -> NoUtility:
    return NoUtility(check="intake.utility", owner=Owner.APPLICANT, remedy=remedy)
