"""The claims of an OFD e-licence: CustomDatas in OFD.xml's DocInfo (GB/T 33190 §7.4), named as issuers write them.

One reading only: a field that stands twice, or metadata in two documents of one archive, is refused, because readers
take the first or the last. Dates are brought into the one form of the schema; what is no date stays as it is and fails
there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from pydantic import ValidationError

from gateway.certificates.envelopes.ofd.safe_xml import Node
from gateway.certificates.errors import EnvelopeRefused
from schemas.ecertificates import HOLDER_TYPE_NAMES, NO_END, ECertificateMetadata
from schemas.status_lists import StatusListReference

_CHECKS: Final = {
    "missing": "ofd.metadata.missing",
    "ambiguous": "ofd.metadata.ambiguous",
    "size": "ofd.metadata.size",
}
EXTENSION: Final = "KZ_"
STATUS_URI: Final = "x_ZTLB_URI"
STATUS_INDEX: Final = "x_ZTLB_IDX"
"""状态列表: where the certificate's entry stands (Token Status List). Ours, as real issuers name none."""
AUTHORITY: Final = "ZZBFJGDM"

_COMMON: Final = frozenset(str(info.alias) for info in ECertificateMetadata.model_fields.values())
_END: Final = "ZZYXQJZRQ"
_DATES: Final = frozenset({"ZZBFRQ", "ZZYXQQSRQ", _END})
_ENDLESS: Final = frozenset({"长期", "长期有效", "永久", "永久有效", "无固定期限"})
_DATE: Final = re.compile(
    r"(?:(?P<y>[0-9]{4})-(?P<m>[0-9]{1,2})-(?P<d>[0-9]{1,2})"
    r"|(?P<y2>[0-9]{4})/(?P<m2>[0-9]{1,2})/(?P<d2>[0-9]{1,2})"
    r"|(?P<y3>[0-9]{4})年(?P<m3>[0-9]{1,2})月(?P<d3>[0-9]{1,2})日"
    r"|(?P<y4>[0-9]{4})(?P<m4>[0-9]{2})(?P<d4>[0-9]{2}))"
    r"(?:[ T](?:00:00:00|23:59:59))?"
)
MAX_VALUE: Final = 8192
"""Characters of one field; what is longer costs more to compare than any field is worth."""
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class LicenceData:
    """``metadata`` as `ECertificateMetadata` takes it, and where the status stands."""

    metadata: dict[str, str]
    status: StatusListReference | None


def read_licence(root: Node) -> LicenceData:
    """The e-licence's data out of OFD.xml. Fields of other names are passed over. Raises `EnvelopeRefused`."""
    fields = read_custom_data(root)
    metadata = {
        name: china_date(value, ends=name == _END) if name in _DATES else value
        for name, value in fields.items()
        if name in _COMMON or name.startswith(EXTENSION)
    }
    kind = metadata.get("CZZTDMLXDM")
    if kind is not None and "CZZTDMLX" not in metadata:
        metadata["CZZTDMLX"] = HOLDER_TYPE_NAMES.get(kind, kind)
    return LicenceData(metadata, _status(fields))


def read_custom_data(root: Node) -> dict[str, str]:
    """Every CustomData by name, empty ones left out. Raises `EnvelopeRefused` unless there is exactly one reading."""
    lists = [
        custom for body in root.all("DocBody") for info in body.all("DocInfo") for custom in info.all("CustomDatas")
    ]
    if not lists:
        raise _refused("missing", "版式文件中没有证照元数据（CustomDatas），请由颁发机构重新制作")
    found: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in _entries(lists):
        if len(lists) > 1 or not name or name.casefold() in seen:
            raise _refused("ambiguous", "版式文件中的证照元数据重复或无法唯一识读，请由颁发机构重新制作")
        if len(value) > MAX_VALUE:
            raise _refused("size", "版式文件中的证照元数据过长，请由颁发机构重新制作")
        seen.add(name.casefold())
        if value:
            found[name] = value
    return found


def china_date(text: str, *, ends: bool = False) -> str:
    """``YYYY-MM-DD`` of a date in China written 2025-01-02, 2025/1/2, 20250102 or 2025年1月2日.

    At most the first or last second of its day may stand behind it. Where ``ends`` asks for the end of a validity, 长期
    and the like are one too. Anything else comes back as it is.

    >>> china_date("2025年1月2日"), china_date("长期", ends=True), china_date("02.01.2025")
    ('2025-01-02', '9999-12-31', '02.01.2025')
    """
    if ends and text in _ENDLESS:
        return NO_END.isoformat()
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    year, month, day = (int(part) for part in match.groups() if part is not None)
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return text


def _entries(lists: list[Node]) -> Iterator[tuple[str, str]]:
    for custom in lists:
        for entry in custom.children:
            if entry.name != "CustomData" or entry.children:
                raise _refused("ambiguous", "版式文件中的证照元数据结构不符合标准，请由颁发机构重新制作")
            yield entry.attributes.get("Name", "").strip(), entry.text.strip()


def _status(fields: dict[str, str]) -> StatusListReference | None:
    uri, index = fields.get(STATUS_URI), fields.get(STATUS_INDEX)
    if uri is None and index is None:
        return None
    try:
        if uri is not None and index is not None and _INDEX.fullmatch(index):
            return StatusListReference(idx=int(index), uri=uri)
    except ValidationError:
        pass
    raise EnvelopeRefused(step="status", check="status.reference", remedy="证照中的状态列表位置无法识别")


def _refused(check: str, remedy: str) -> EnvelopeRefused:
    return EnvelopeRefused(step="claims", check=_CHECKS[check], remedy=remedy)
