"""The provider's own pages: plain HTML that works without JavaScript, everything escaped, nothing from elsewhere."""

from html import escape

from mock_services.identity_provider.desk import Interaction
from schemas.identity import ProviderFailure, VerificationMethod, VerificationStep

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No ``form-action``: browsers apply it to the redirect after the form as well, and that leads to the relying party."""

METHOD_TITLES = {
    VerificationMethod.FACE: "刷脸核验",
    VerificationMethod.SMS_OTP: "短信验证码",
    VerificationMethod.COUNTER: "窗口核验码",
    VerificationMethod.E_LICENCE: "电子营业执照",
}
_HINTS = {
    VerificationMethod.FACE: "人脸图像只在本页显示，不上传、不保存；提交的只有所选的模拟人员。",
    VerificationMethod.SMS_OTP: "模拟环境：选择人员即视为已收到并填写短信验证码。",
    VerificationMethod.COUNTER: "模拟环境：选择人员即视为已在政务窗口核验身份证件。",
    VerificationMethod.E_LICENCE: "由法定代表人或其授权的经办人出示电子营业执照。",
}
_FAILURES = {
    ProviderFailure.MISMATCH: "未能核验一致",
    ProviderFailure.LIVENESS_FAILED: "未通过活体检测",
    ProviderFailure.LOCKED: "失败次数过多，已锁定",
    ProviderFailure.TIME_OUT: "核验超时",
}

STYLESHEET = """
body { font: 1.05rem/1.7 "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; color: #1d2433;
  background: #f4f6fa; margin: 0; }
main { max-width: 34rem; margin: 8vh auto; padding: 2rem; background: #fff; border: 1px solid #d6dce8; }
h1 { font-size: 1.35rem; color: #14469f; margin-top: 0; }
a, button { color: #14469f; }
button { color: #fff; background: #14469f; border: 0; padding: .6rem 1.6rem; font: inherit; }
select, button { min-height: 44px; }
select { width: 100%; font: inherit; margin: .4rem 0 1rem; }
video { width: 100%; background: #e7ebf3; }
[role=alert] { border-left: 4px solid #b3261e; padding-left: .8rem; }
"""

CAMERA_SCRIPT = """
"use strict";
const video = document.querySelector("video");
if (video && navigator.mediaDevices) {
  navigator.mediaDevices.getUserMedia({ video: true }).then(
    (stream) => { video.srcObject = stream; video.hidden = false; },
    () => { video.hidden = true; });
}
"""
"""Shows the camera's picture to its owner. It is never read, encoded or sent."""


def choose_method(interaction: Interaction) -> str:
    """The page on which a person picks a method."""
    base = f"/authorize/{interaction.interaction_id}"
    links = "".join(
        f'<li><a href="{base}?method={method.value}">{METHOD_TITLES[method]}</a></li>'
        for method in interaction.request.methods
    )
    return _page("请选择核验方式", f"<p>可任选一种方式，刷脸不是唯一方式。</p><ul>{links}</ul>")


def method_form(
    interaction: Interaction,
    method: VerificationMethod,
    people: list[tuple[str, str]],
    step: VerificationStep | None = None,
) -> str:
    """The form of one method; after a failed attempt it says what failed and how many attempts are left."""
    base = f"/authorize/{interaction.interaction_id}"
    alert = ""
    if step is not None and step.failure is not None:
        alert = f'<p role="alert">{_FAILURES[step.failure]}，还可再试 {step.attempts_left} 次，或改用其他方式。</p>'
    camera = '<video autoplay muted playsinline hidden></video><script src="/camera.js" defer></script>'
    options = "".join(f'<option value="{escape(name)}">{escape(title)}</option>' for name, title in people)
    return _page(
        METHOD_TITLES[method],
        f"{alert}<p>{_HINTS[method]}</p>{camera if method is VerificationMethod.FACE else ''}"
        f'<form method="post" action="{base}/verification">'
        f'<input type="hidden" name="method" value="{method.value}">'
        f'<label for="subject">模拟人员</label><select id="subject" name="subject" required>{options}</select>'
        f'<button type="submit">开始核验</button></form><p><a href="{base}">改用其他核验方式</a></p>',
    )


def refusal(description: str) -> str:
    """A request that cannot be answered by a redirect."""
    return _page("无法继续", f'<p role="alert">{escape(description)}</p>')


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · 统一身份认证（模拟）</title><link rel="stylesheet" href="/style.css"></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
