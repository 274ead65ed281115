"""The journeys. Each checks what it claims: a journey that ends otherwise than it should fails the demo."""

from collections.abc import Awaitable, Callable

from mock_services.demo.journeys.co_owners import co_owner_looks
from mock_services.demo.journeys.endings import contract_signed_and_rated, withdrawn_and_purged
from mock_services.demo.journeys.enterprises import dual_source, enterprise_by_agent, small_enterprise
from mock_services.demo.journeys.envelopes import licences_on_ofd
from mock_services.demo.journeys.living import certificates_live_on
from mock_services.demo.journeys.outages import utility_down
from mock_services.demo.journeys.projects import projects_become_leads
from mock_services.demo.journeys.refusals import bad_certificates, too_much
from mock_services.demo.journeys.residents import resident_by_face, resident_by_sms
from mock_services.demo.journeys.reviews import certificates_that_agree
from mock_services.demo.journeys.stage import Stage, Unexpected

__all__ = ["JOURNEYS", "Stage", "Unexpected"]

JOURNEYS: list[tuple[str, Callable[[Stage], Awaitable[None]]]] = [
    ("居民刷脸办电", resident_by_face),
    ("刷脸未通过，改用短信", resident_by_sms),
    ("小微企业一证办电（三零）", small_enterprise),
    ("低压企业经办人办理", enterprise_by_agent),
    ("高压双电源，五部门并联审批", dual_source),
    ("供电企业多要材料，被依条拒绝", too_much),
    ("吊销、破损、状态过期的证照", bad_certificates),
    ("供电企业停机，结果一个不少", utility_down),
    ("证照一致性核对", certificates_that_agree),
    ("国密 OFD 电子证照", licences_on_ofd),
    ("共有人看谁看过写有自己的证照", co_owner_looks),
    ("在线签订供用电合同，办结后评价与整改", contract_signed_and_rated),
    ("申请人撤回，供电企业清除并回执", withdrawn_and_purged),
    ("证照变更随时到达", certificates_live_on),
    ("工程建设项目提前送达供电企业", projects_become_leads),
]
