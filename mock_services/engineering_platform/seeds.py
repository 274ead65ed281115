"""Synthetic projects: the same for the same number, in counties of Guangdong, built by companies that do not exist."""

import random
from typing import Any

from schemas.identifiers import make_unified_social_credit_code
from schemas.regions import COUNTIES

KINDS = (
    ("数据中心", "机房两栋，含变配电用房"),
    ("产业园", "标准厂房四栋及配套用房"),
    ("商业综合体", "商业裙楼与塔楼，地下三层"),
    ("住宅小区", "住宅八栋，配建充电设施"),
    ("医院", "门诊楼、住院楼与能源中心"),
)
SURNAMES = "赵钱孙李周吴郑王"


def project(number: int) -> dict[str, Any]:
    """The tables of project ``number`` (from 1) as they are first pushed."""
    chance = random.Random(number)
    county = COUNTIES[chance.randrange(len(COUNTIES))]
    kind, scale = KINDS[number % len(KINDS)]
    builder = make_unified_social_credit_code(f"91{county}", f"{90_000_000 + number:08d}")
    works = f"GC-{county}-{number:05d}"
    return {
        "xmjbxxb": {
            "xmdm": f"2026-{county[:4]}00-47-03-{number:06d}",
            "gcdm": works,
            "xmmc": f"示例{kind}项目{number}号",
            "xzqhdm": county[:4] + "00",
            "jsddxzqh": county,
            "jsdd": f"示例大道 {number} 号",
            "jsgmjnr": scale,
            "jzmj": float(chance.randrange(8_000, 120_000)),
            "nkgsj": f"2026-{chance.randrange(1, 13):02d}-01 00:00:00",
            "njcsj": f"2028-{chance.randrange(1, 13):02d}-01 00:00:00",
            "jsdw": f"示例{number}号置业有限公司",
            "jsdwdm": builder,
            "splclx": 1,
            "sjyxbs": 1,
        },
        "xmspsxblxxb": [
            {
                "spsxslbm": f"{works}-1",
                "spbmbm": "ghzrzyj",
                "spbmmc": "规划和自然资源局",
                "slfs": 1,
                "sxblsx": 10,
                "lxr": f"{SURNAMES[number % len(SURNAMES)]}某",
                "lxrsjh": f"1380000{number % 10_000:04d}",
                "sjyxbs": 1,
            }
        ],
        "xmspsxblxxxxb": [{"spsxslbm": f"{works}-1", "blzt": 3, "blsj": "2026-01-12 09:30:00", "sjyxbs": 1}],
        "xmspsxpfwjxxb": [],
        "jsgcghxkxxb": [],
    }


def planning_permit(works: str, number: str) -> dict[str, Any]:
    """What is changed when 建设工程规划许可 is granted."""
    return {
        "xmspsxblxxxxb": [
            {"spsxslbm": f"{works}-1", "blzt": 3, "blsj": "2026-01-12 09:30:00", "sjyxbs": 1},
            {"spsxslbm": f"{works}-1", "blzt": 11, "blsj": "2026-02-09 16:00:00", "sjyxbs": 1},
        ],
        "jsgcghxkxxb": [{"spsxslbm": f"{works}-1", "gcghxkzbh": number, "fzrq": "2026-02-09", "sjyxbs": 1}],
    }
