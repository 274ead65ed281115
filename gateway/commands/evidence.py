"""``bandian evidence`` and ``bandian evidence-anchors``: the bundle that proves an application, and whom to believe."""

import asyncio
import base64
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import typer

from gateway.commands.session import actor, fail, with_foundation

if TYPE_CHECKING:
    from gateway.bootstrap.foundation import Foundation
    from gateway.evidence.service import Bundle, EvidenceService
    from gateway.partners.directory import DirectorySnapshot

PAUSE_S = 0.5


def make_bundle(application_id: str, output: Path, *, redacted: bool, wait_s: float) -> None:
    """Write the bundle of an application to ``output``, waiting up to ``wait_s`` for its entries' checkpoint."""

    async def work(foundation: "Foundation") -> None:
        from gateway.bootstrap.rooms import build_evidence

        bundle = await _made(build_evidence(foundation), application_id, redacted, wait_s)
        _write(output, bundle.archive)
        kind = "不含个人信息，" if redacted else ""
        typer.echo(f"{output}：{kind}{bundle.files} 个文件（存证 {bundle.record_id}）")

    with_foundation(work)


async def _made(service: "EvidenceService", application_id: str, redacted: bool, wait_s: float) -> "Bundle":
    from gateway.records.errors import RecordNotAnchored

    until = time.monotonic() + wait_s
    while True:
        try:
            return await service.for_operator(application_id, actor(), redacted=redacted)
        except RecordNotAnchored:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(PAUSE_S)


def export_anchors(directory: Path) -> None:
    """Write what a bundle of this installation is verified against. An auditor has it from each source itself."""

    async def work(foundation: "Foundation") -> None:
        from gateway.bootstrap.certificates import trust_of
        from gateway.bootstrap.clients import clients
        from gateway.bootstrap.foundation import checkpoint_keys, kinds_of
        from gateway.bootstrap.providers import build_identity_provider
        from gateway.crypto.jwk import export_jwk

        settings, trust = foundation.settings, trust_of(foundation.settings)
        files: dict[str, bytes] = {
            f"anchors/{number:02}.pem": _pem(anchor.certificate) for number, anchor in enumerate(trust.anchors, 1)
        }
        issuers = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in trust.issuers]
        files["issuers.json"] = _json(issuers)
        files["kinds.json"] = _json({code: [*kind.type_codes] for code, kind in kinds_of(settings).by_code.items()})
        files["gateway.jwks.json"] = _json({"keys": [export_jwk(key) for key in foundation.keys.published()]})
        files["partners.json"] = _json(_partner_keys(await foundation.directory.snapshot()))
        files["checkpoints.vkeys"] = _lines(checkpoint_keys(foundation).published())
        if settings.witnesses:
            files["witnesses.vkeys"] = _lines([key for each in settings.witnesses for key in each.keys])
        if settings.time_stamps is not None:
            files |= _stamping_roots(settings.time_stamps.anchors)
        if settings.identity_provider is not None:
            async with clients() as (http, _):
                provider = build_identity_provider(foundation, http)
                keys = [export_jwk(key) for key in await provider.published_keys(foundation.clock())]
            named = {"issuer": settings.identity_provider.issuer, "audience": settings.identity_provider.client_id}
            files["identity-provider.json"] = _json({**named, "keys": keys})
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        typer.echo(f"{directory}：{len(files)} 个文件。独立审计应自行向各方取得这些材料，而不是取自网关。")

    with_foundation(work)


def _stamping_roots(path: Path) -> dict[str, bytes]:
    from adapters.time_stamping import AnchorsUnreadable, read_anchors

    try:
        return {f"time-stamps/{number:02}.pem": _pem(root) for number, root in enumerate(read_anchors(path), 1)}
    except AnchorsUnreadable as error:
        raise fail(str(error)) from None


def _partner_keys(snapshot: "DirectorySnapshot") -> dict[str, list[dict[str, Any]]]:
    """Every registered key, by partner code, with when a signature made with it counts."""
    return {
        code: [
            {
                "jwk": {**held.registered.jwk, "kid": held.registered.kid},
                "use": held.registered.use.value,
                "valid_from": held.registered.valid_from.isoformat(),
                "valid_until": held.registered.valid_until.isoformat() if held.registered.valid_until else None,
                "revoked_at": held.registered.revoked_at.isoformat() if held.registered.revoked_at else None,
            }
            for held in keys
        ]
        for code, keys in sorted(snapshot.keys.items())
    }


def _write(output: Path, archive: bytes) -> None:
    """Whole or not at all, and for its owner alone: a bundle tells of somebody."""
    try:
        with tempfile.NamedTemporaryFile(dir=output.absolute().parent, prefix=".evidence-", delete=False) as stream:
            stream.write(archive)
        os.replace(stream.name, output)
    except OSError as error:
        raise fail(f"{output}：无法写入（{error.strerror}）") from None


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def _lines(keys: Any) -> bytes:
    return "".join(f"{key}\n" for key in keys).encode()


def _json(value: Mapping[str, Any] | list[Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
