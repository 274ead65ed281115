"""A witness over HTTP, by C2SP tlog-witness: ``POST <prefix>/add-checkpoint``."""

import base64
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from adapters.http_client import HttpClient, HttpReply, HttpRequest
from gateway.errors import Owner, PartnerUnavailable
from gateway.records.checkpoints import cosignatures_of
from gateway.records.errors import CheckpointContradicted
from gateway.records.merkle import ProofInvalid
from gateway.records.notes import MAX_NOTE_BYTES, NoteInvalid, SignatureLine, VerifierKey, parse_signature_lines
from gateway.records.ports import Submission

SIZE_MEDIA_TYPE: Final = "text/x.tlog.size"
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class HttpWitness:
    """``gateway.records.ports.Witness``. It remembers how far the witness is, and is told when it is wrong."""

    def __init__(self, http: HttpClient, url: str, keys: Sequence[VerifierKey]) -> None:
        """``url`` is the witness's submission prefix; ``keys`` (at least one, of one name) are its own."""
        self._http = http
        self._url = f"{url}/add-checkpoint"
        self._keys = tuple(keys)
        self._known = 0

    @property
    def name(self) -> str:
        return self._keys[0].name

    async def observe(self, submission: Submission) -> Sequence[SignatureLine]:
        """See ``Witness.observe``."""
        reply = await self._submit(submission)
        if reply.status == 409:
            self._known = self._told_size(reply, submission)
            reply = await self._submit(submission)
        if reply.status == 409:
            self._known = self._told_size(reply, submission)
            raise self._unfit("witness.busy")
        if reply.status != 200:
            raise self._refused(reply.status)
        lines = self._cosignatures(reply, submission)
        self._known = submission.size
        return lines

    async def _submit(self, submission: Submission) -> HttpReply:
        try:
            proof = await submission.proof_from(self._known)
        except ProofInvalid:
            raise self._contradicted("witness_is_ahead") from None
        lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in proof)
        body = f"old {self._known}\n{lines}\n{submission.note}".encode()
        headers = {"content-type": "text/plain; charset=utf-8"}
        request = HttpRequest("POST", self._url, headers, body, idempotent=True, max_bytes=MAX_NOTE_BYTES)
        return await self._http.send(request, partner=self.name)

    def _told_size(self, reply: HttpReply, submission: Submission) -> int:
        """409: it knows another size than we thought; the same size again means that it knows another root."""
        told = _SIZE.fullmatch(reply.body) if reply.media_type == SIZE_MEDIA_TYPE else None
        if told is None and self._known == submission.size:
            raise self._contradicted("witness_saw_another_root")
        if told is None:
            raise self._unfit("witness.conflict")
        size = int(told[1])
        if size > submission.size:
            raise self._contradicted("witness_is_ahead")
        if size == self._known:
            raise self._contradicted("witness_saw_another_root")
        return size

    def _cosignatures(self, reply: HttpReply, submission: Submission) -> Sequence[SignatureLine]:
        try:
            lines = parse_signature_lines(reply.body.decode())
            found = cosignatures_of(replace(submission.note, signatures=lines), self._keys)
        except (NoteInvalid, UnicodeDecodeError):
            raise self._unfit("witness.cosignature") from None
        if not found:
            raise self._unfit("witness.cosignature")
        return [each.line for each in found]

    def _refused(self, status: int) -> PartnerUnavailable:
        if status == 422:
            return self._contradicted("witness_saw_another_log")
        return self._unfit({404: "witness.origin_unknown", 403: "witness.key_unknown"}.get(status, "witness.refused"))

    def _contradicted(self, check: str) -> CheckpointContradicted:
        remedy = "见证方所见与本平台的检查点不一致，请停止写入并核查数据库是否被改动或回退"
        return CheckpointContradicted(check=f"record.{check}", owner=Owner.GATEWAY, remedy=remedy, partner=self.name)

    def _unfit(self, check: str) -> PartnerUnavailable:
        remedy = "见证方的应答不符合约定，请与其核对来源名称与公钥"
        return PartnerUnavailable(check=check, owner=Owner.GATEWAY, remedy=remedy, partner=self.name)
