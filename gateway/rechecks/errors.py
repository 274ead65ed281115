"""What a change feed answers instead of changes."""

from dataclasses import dataclass

from gateway.errors import Conflict, Owner


@dataclass(kw_only=True, eq=False)
class FeedPositionLost(Conflict):
    """The source no longer has the changes beyond the position that was asked for. ``partner`` is its code."""

    kind = "feed-position-lost"
    title = "变更清单的位置已失效"

    partner: str
    check: str = "feed.position_lost"
    owner: Owner = Owner.GOVERNMENT
    remedy: str = "从当前位置重新开始，并复核全部在办申请所依据的证照"
