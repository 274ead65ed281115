"""What an address must look like before anything is sent there. Pure."""

import re
from typing import Final

from gateway.errors import Owner
from gateway.notices.errors import AddressUnfit
from gateway.notices.preferences import Way

MOST_CHARACTERS: Final = 254
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_MOBILE: Final = re.compile(r"1[3-9]\d{9}", re.ASCII)


def require_address(way: Way, address: str) -> str:
    """``address`` as it is kept. Raises ``AddressUnfit``; what was typed is in no error."""
    fits = {Way.EMAIL: _EMAIL, Way.PLATFORM: _MOBILE}[way].fullmatch(address) is not None
    if not fits or len(address) > MOST_CHARACTERS:
        remedy = "请填写电子邮箱，如 name@example.com" if way is Way.EMAIL else "请填写 11 位手机号码"
        raise AddressUnfit(check=f"notices.address.{way}", owner=Owner.APPLICANT, remedy=remedy)
    return address
