"""Settings that contradict each other, or are dangerous: each refuses the start with a sentence that mends it."""

import ipaddress
from urllib.parse import urlsplit

from gateway.settings.errors import PREFIX, SettingsError
from gateway.settings.model import Settings


def _refuse_unsafe_nats(settings: Settings) -> None:
    if settings.nats_url is None:
        if settings.nats_password_file is not None:
            raise SettingsError(f"{PREFIX}NATS_PASSWORD_FILE goes with {PREFIX}NATS_URL; set both or neither.")
        return
    parts = urlsplit(settings.nats_url.get_secret_value())
    if settings.nats_password_file is not None and (not parts.username or parts.password):
        raise SettingsError(
            f"{PREFIX}NATS_PASSWORD_FILE goes with a {PREFIX}NATS_URL that has a user and no password; mend one."
        )
    known = {"127.0.0.1", "::1", "localhost", *settings.insecure_endpoint_hosts}
    if settings.in_production and parts.scheme != "tls" and parts.hostname not in known:
        raise SettingsError(
            f"{PREFIX}NATS_URL goes over the network without TLS; write it as tls://, or name the host in "
            f"{PREFIX}INSECURE_ENDPOINT_HOSTS where that network is your own."
        )


def refuse_contradictions(settings: Settings) -> None:
    """What cannot hold together. Raises ``SettingsError``."""
    _refuse_unsafe_nats(settings)
    if settings.issuer is not None and _origin(settings.issuer) != _origin(settings.base_url):
        raise SettingsError(
            f"{PREFIX}ISSUER and {PREFIX}PUBLIC_URL name different hosts, so that partners could not find the keys; "
            f"remove {PREFIX}ISSUER or give both the same host."
        )
    if settings.on_sqlite and settings.processes > 1:
        raise SettingsError(
            f"SQLite has one writer, and {PREFIX}PROCESSES asks for several; set it to 1 or set "
            f"{PREFIX}DATABASE_URL to a postgresql:// database."
        )
    if settings.delivery_lease_s < 2 * settings.delivery_timeout_s:
        raise SettingsError(
            f"{PREFIX}DELIVERY_LEASE_S must be at least twice {PREFIX}DELIVERY_TIMEOUT_S, because a worker may "
            "ask and then send; lengthen the lease or shorten the time-out."
        )
    if settings.delivery_disable_after_h >= 24 * settings.delivery_give_up_days:
        raise SettingsError(
            f"{PREFIX}DELIVERY_DISABLE_AFTER_H must be shorter than {PREFIX}DELIVERY_GIVE_UP_DAYS, so that "
            "the events of a receiver that is down wait instead of being given up; shorten it."
        )
    codes = [(source.code, source.region) for source in settings.sources]
    if len(set(codes)) != len(codes):
        raise SettingsError(f"{PREFIX}SOURCES lists a code twice for one region; keep one entry for each.")
    for source in settings.sources:
        if (source.access_secret is None) == (source.access_secret_file is None):
            raise SettingsError(
                f"{PREFIX}SOURCES: {source.code} needs exactly one of access_secret_file and access_secret."
            )


def refuse_unfit_for_production(settings: Settings) -> None:
    """What is only fit for one's own machine. Raises ``SettingsError``."""
    if settings.public_url is None:
        raise SettingsError(f"In production {PREFIX}PUBLIC_URL must say how partners reach the gateway; set it.")
    if settings.generate_keys:
        raise SettingsError(
            f"In production signing keys are never generated at start; unset {PREFIX}GENERATE_KEYS and put the keys "
            f"into {PREFIX}KEY_DIR."
        )
    if settings.at_rest_keys is None:
        raise SettingsError(
            f"In production {PREFIX}AT_REST_KEYS must say where the key is that wraps the data keys, as file:PATH or "
            "env:NAME; set it."
        )
    if settings.insecure_endpoint_hosts:
        raise SettingsError(f"In production webhooks go over https alone; unset {PREFIX}INSECURE_ENDPOINT_HOSTS.")
    if settings.on_sqlite and not settings.embedded_worker:
        raise SettingsError(
            f"In production SQLite serves one process, and {PREFIX}EMBEDDED_WORKER=false asks for a second; set it to "
            f"true or set {PREFIX}DATABASE_URL to a postgresql:// database."
        )
    if settings.log_level == "debug":
        raise SettingsError(f"In production {PREFIX}LOG_LEVEL=debug says too much; set it to info.")
    if any(source.access_secret is not None for source in settings.sources):
        raise SettingsError(
            f"In production an access secret does not stand in {PREFIX}SOURCES; put it into a file and name it as "
            "access_secret_file."
        )
    for name, url in _addresses(settings):
        if urlsplit(url).scheme != "https":
            raise SettingsError(f"In production {name} must be an https address; change it to one.")
        if _is_loopback(urlsplit(url).hostname or ""):
            raise SettingsError(f"In production {name} must not be a loopback address; name the real host.")


def _addresses(settings: Settings) -> list[tuple[str, str]]:
    named = [(f"{PREFIX}PUBLIC_URL", settings.base_url), (f"{PREFIX}ISSUER", settings.issuer_url)]
    if settings.identity_provider is not None:
        named.append((f"{PREFIX}IDENTITY_PROVIDER__ISSUER", settings.identity_provider.issuer))
    if settings.officer_provider is not None:
        named.append((f"{PREFIX}OFFICER_PROVIDER__ISSUER", settings.officer_provider.issuer))
    named += [(f"{PREFIX}WITNESSES", each.url) for each in settings.witnesses]
    named += [(f"{PREFIX}STATUS_ORIGINS", origin) for origin in settings.status_origins]
    return named + [(f"{PREFIX}SOURCES[{source.code}].url", source.url) for source in settings.sources]


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
