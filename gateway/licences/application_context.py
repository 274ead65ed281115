"""What predicates are asked against: the holder and the place of one application.

Codes and addresses are compared by the very tables that reconcile certificates (证照一致性): what passes there answers
yes here, what contradicts answers no, and what an officer would have to look at is not decided.
"""

from dataclasses import dataclass, field
from datetime import date

from gateway.applications.reconciliation.finding import Outcome
from gateway.applications.reconciliation.normal_forms import CodeRelation, relate_codes
from gateway.applications.reconciliation.places import relate_places

_SAME = {CodeRelation.EQUAL: True, CodeRelation.HISTORIC: True, CodeRelation.DIFFERENT: False}
_ONE_PLACE = {Outcome.CONSISTENT: True, Outcome.CONTRADICTION: False}


@dataclass(frozen=True, slots=True)
class ApplicationContext:
    """``gateway.certificates.kind.PredicateContext`` of one application.

    ``holder_code`` is the applicant's, or that of the third party asked for; ``address`` the 用电地址 as the applicant
    wrote it in the county ``region``, None where they wrote none.
    """

    on: date
    holder_code: str = field(repr=False)
    region: str
    address: str | None = field(default=None, repr=False)

    def is_holder(self, code: str) -> bool | None:
        """The same code, or its predecessor by the standard (GB 11643: 15 digits; GB 32100: 组织机构代码)."""
        return _SAME.get(relate_codes(self.holder_code, code))

    def is_site(self, text: str, region: str | None) -> bool | None:
        """The same words after ``address_form``; never by likeness."""
        if self.address is None:
            return None
        return _ONE_PLACE.get(relate_places((self.address, self.region), (text, region)).outcome)
