"""``POST /v1/verified-licences`` by the express lane: the same caller check, the same service, the same answer."""

from pydantic import ValidationError
from starlette.types import Scope

from gateway.caller import Role
from gateway.http.callers import Doorkeeper
from gateway.http.services import services_of
from gateway.licences.service import LicenceService
from schemas.partner_api import VerifiedLicenceRequest
from schemas.wire import MEDIA_JOSE


class ExpressLicences:
    """``gateway.http.express.ExpressRoute``; what it does not take is ``gateway.licences.router``'s."""

    method = "POST"
    path = "/v1/verified-licences"
    media_type = MEDIA_JOSE.encode()

    def take(self, body: bytes) -> VerifiedLicenceRequest | None:
        """The request, where it is one."""
        try:
            return VerifiedLicenceRequest.model_validate_json(body)
        except ValidationError:
            return None

    async def answer(self, scope: Scope, asked: VerifiedLicenceRequest) -> bytes:
        """The signed answer."""
        services = services_of(scope["app"])
        caller = await services.get(Doorkeeper).admit(scope, Role.UTILITY, scope_name="licences")
        return (await services.get(LicenceService).answer(caller, asked)).encode()
