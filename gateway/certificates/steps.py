"""The numbered steps of a verification, as people read them. What each proves stands in ``verifier``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

STEPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "envelope": "文件外形与限额",
        "header": "头部严格解析",
        "algorithm": "签名算法",
        "chain": "证书链与签章",
        "validity": "有效期",
        "issuer": "颁发机构及其权限",
        "status": "吊销与暂停状态",
        "identifier": "电子证照标识",
        "holder": "持证主体",
        "claims": "照面内容",
        "freshness": "副本时效",
    }
)
"""Name of a ``CheckResult`` to its Chinese title, in the order in which the steps are taken."""
