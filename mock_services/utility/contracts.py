"""The supply contract that this utility sends: plain text here, a PDF as well with a real one."""

import base64
import hashlib
from datetime import datetime, timedelta

from schemas.contracts import ContractOffer

OPEN_FOR = timedelta(days=30)


def a_contract(application_id: str, at: datetime) -> ContractOffer:
    """The same for the same application and instant, so that a step that is taken again sends it unchanged."""
    lines = (
        "低压供用电合同（示例）",
        f"用电申请：{application_id}",
        f"供电人于 {at.date().isoformat()} 提出，用电人在线签订后生效。",
        "第一条  供电人按国家规定的质量标准供电；计量装置及以上工程由供电人投资建设。",
        "第二条  用电人按用电计量装置的记录和政府核定的电价交纳电费。",
        "第三条  争议可拨打 95598，也可拨打 12398 投诉举报。",
    )
    document = "\n".join(lines).encode()
    return ContractOffer(
        event_id=f"{application_id}:contract:1",
        version=1,
        title="低压供用电合同",
        media_type="text/plain",
        content=base64.b64encode(document).decode(),
        sha256=hashlib.sha256(document).hexdigest(),
        valid_until=at + OPEN_FOR,
    )
