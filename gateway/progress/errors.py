"""Refusals of what somebody asks about themselves."""

from gateway.errors import Denied


class ResidentOnly(Denied):
    """Certificates name natural persons by their own number, so only whoever was verified as a resident can ask."""

    kind = "resident-only"
    title = "请以居民身份核验"
