"""What can be wrong with what a browser sends."""

from dataclasses import dataclass
from typing import ClassVar

from gateway.errors import Denied, Malformed, NotFound


@dataclass(kw_only=True, eq=False)
class FormMalformed(Malformed):
    """It is no form as our pages send them."""

    kind: ClassVar[str] = "form-malformed"
    title: ClassVar[str] = "表单内容无法识别"


@dataclass(kw_only=True, eq=False)
class FormNotOwn(Denied):
    """It was not given to this browser, or comes from another site."""

    kind: ClassVar[str] = "form-not-own"
    title: ClassVar[str] = "此表单已失效"


@dataclass(kw_only=True, eq=False)
class PageUnknown(NotFound):
    """There is no such page."""

    kind: ClassVar[str] = "no-such-page"
    title: ClassVar[str] = "没有此页面"
