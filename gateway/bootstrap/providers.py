"""Who tells the gateway who somebody is: the applicants' provider and the officers'."""

from adapters.http_client import HttpClient
from adapters.identity_provider import NoIdentityProvider, OpenIdProvider
from adapters.key_directory import KeyPurpose
from adapters.officer_provider import NoOfficerProvider, OfficerOpenIdProvider
from adapters.openid import OpenIdClientSettings
from gateway.bootstrap.foundation import Foundation


def build_identity_provider(foundation: Foundation, http: HttpClient) -> OpenIdProvider | NoIdentityProvider:
    """The configured one, or one that answers that there is none."""
    settings = foundation.settings
    if settings.identity_provider is None:
        return NoIdentityProvider()
    return OpenIdProvider(
        issuer=settings.identity_provider.issuer,
        client_id=settings.identity_provider.client_id,
        redirect_uri=f"{settings.base_url}/v1/identity/callback",
        client_key=foundation.keys.signer(KeyPurpose.CLIENT),
        http=http,
        make_id=foundation.make_id,
    )


def build_officer_provider(foundation: Foundation, http: HttpClient) -> OfficerOpenIdProvider | NoOfficerProvider:
    """The configured one, or one that answers that there is none."""
    told = foundation.settings.officer_provider
    if told is None:
        return NoOfficerProvider()
    return OfficerOpenIdProvider(
        OpenIdClientSettings(told.issuer, told.client_id, f"{foundation.settings.base_url}/console/callback"),
        told.roles_claim,
        client_key=foundation.keys.signer(KeyPurpose.CLIENT),
        http=http,
        make_id=foundation.make_id,
    )
