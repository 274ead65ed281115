"""经办授权: what a legal representative signs so that an agent (经办人) may act for the enterprise, for one matter.

**Profile** (ours, ``docs/divergences.md``). Compact JWS. Header: ``alg`` (ES256, EdDSA or SM2-SM3), ``typ``
``agent-authorisation+jwt``, ``x5c`` = [personal signing certificate, CA], the root left out. Payload:
``AgentAuthorisation``. The personal certificate names the signer in commonName (2.5.4.3) and their number in
serialNumber (2.5.4.5) as ``IDCCN-`` and the 公民身份号码 (ETSI EN 319 412-1 §5.1.3: identity card, China).

By 民法典第一百六十五条 it says the agent, the matter, the powers (here: the whole matter) and the time, and is signed.
It travels inside the identity provider's assertion.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.wire import OpaqueId

MATTER = "用电报装"
"""The one matter that is spoken of here."""
MAX_AUTHORISATION_BYTES = 12 * 1024
PERSON_NUMBER_PREFIX = "IDCCN-"
PERSONAL_SIGNATURE_DUTY = "personal_signature"
"""Stands among an entry's kinds in ``issuers.json`` where its pinned CA may certify persons (电子认证服务机构)."""

_Seconds = Annotated[int, Field(strict=True, ge=0)]


class AgentAuthorisation(BaseModel):
    """Claims. ``enterprise_code`` 统一社会信用代码, ``agent_code`` 公民身份号码; ``nbf`` and ``exp`` are its time."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    jti: OpaqueId
    iat: _Seconds
    nbf: _Seconds
    exp: _Seconds
    enterprise_code: str = Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")
    agent_name: str = Field(min_length=1, max_length=64)
    agent_code: str = Field(pattern=r"^[0-9]{17}[0-9X]$")
    matter: str = Field(min_length=1, max_length=64)

    def to_wire(self) -> dict[str, Any]:
        """As it is signed."""
        return self.model_dump(mode="json")
