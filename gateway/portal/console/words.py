"""What the console calls things, in Chinese; English is in the catalogue. A badge is (look, word)."""

from typing import Final

from gateway.applications.lifecycle import LifecycleStatus
from gateway.applications.review_tasks import ReviewState
from gateway.caller import Role
from gateway.conformance.model import Outcome, OverrideReason, Verdict
from gateway.delivery.ports import AttemptOutcome, DeliveryState, ReplayReason
from gateway.partners.agreement_steps import AgreementStep
from gateway.partners.model import AgreementStatus, ChangeReason, KeyUse
from schemas.events import EventType

APPLICATION: Final = {
    LifecycleStatus.WAITING: ("waiting", "等待下一环节"),
    LifecycleStatus.UNDER_WAY: ("going", "办理中"),
    LifecycleStatus.PAUSED: ("paused", "已暂停"),
    LifecycleStatus.COMPLETED: ("done", "已办结"),
    LifecycleStatus.WITHDRAWN: ("todo", "已撤回"),
    LifecycleStatus.ENDED: ("todo", "已终止"),
}
STAGE: Final = {
    "pending": ("todo", "未开始"),
    "under_way": ("going", "办理中"),
    "paused": ("paused", "已暂停"),
    "completed": ("done", "已完成"),
    "abandoned": ("todo", "不再办理"),
}
DELIVERY: Final = {
    DeliveryState.PENDING: ("going", "待送达"),
    DeliveryState.UNKNOWN: ("waiting", "结果未知"),
    DeliveryState.DELIVERED: ("done", "已送达"),
    DeliveryState.DEAD: ("wrong", "死信"),
}
ATTEMPT: Final = {
    AttemptOutcome.OPEN: ("going", "进行中"),
    AttemptOutcome.RECEIPTED: ("done", "已签收"),
    AttemptOutcome.NOT_SENT: ("wrong", "未发出"),
    AttemptOutcome.DECLINED: ("wrong", "被拒收"),
    AttemptOutcome.UNKNOWN: ("waiting", "结果未知"),
}
REPLAY_REASONS: Final = {
    ReplayReason.RECEIVER_RESTORED: "接收方已恢复",
    ReplayReason.RECEIVER_LOST_DATA: "接收方数据丢失",
    ReplayReason.CONFIGURATION_MENDED: "配置已更正",
    ReplayReason.RECEIVER_ASKED: "接收方请求",
    ReplayReason.DRILL: "演练",
}
EVENTS: Final = {
    EventType.APPLICATION_SUBMITTED: "申请送达",
    EventType.APPLICATION_WITHDRAWN: "申请撤回",
    EventType.AUTHORISATION_WITHDRAWN: "授权撤回",
    EventType.REVIEW_OPENED: "并联审批开始",
    EventType.REVIEW_CHANGED: "并联审批变更",
    EventType.PERMIT_OUTCOME: "审批结果",
    EventType.CERTIFICATE_CHANGED: "证照变更",
    EventType.CONTRACT_SIGNED: "供用电合同签订",
    EventType.CONTRACT_DECLINED: "供用电合同不签",
    EventType.SERVICE_RATED: "服务评价",
    EventType.LEAD_OFFERED: "用电需求线索",
    EventType.LEAD_RETRACTED: "线索撤销",
    EventType.CONFORMANCE_TEST: "符合性测试事件",
}
ABOUT_LEADS: Final = frozenset({EventType.LEAD_OFFERED, EventType.LEAD_RETRACTED})
"""Events whose subject is a lead of a project; that of all others is an application."""
REVIEW: Final = {
    ReviewState.OPEN: ("waiting", "待核查"),
    ReviewState.ACCEPTED: ("done", "核查通过"),
    ReviewState.REJECTED: ("wrong", "核查未通过"),
    ReviewState.WITHDRAWN: ("todo", "申请人放弃"),
    ReviewState.EXPIRED: ("overdue", "逾期未核查"),
}
AGREEMENT: Final = {
    AgreementStatus.DRAFT: ("todo", "草稿"),
    AgreementStatus.TEST: ("going", "联调"),
    AgreementStatus.APPROVED: ("waiting", "已批准，待生效"),
    AgreementStatus.ACTIVE: ("done", "生效中"),
    AgreementStatus.ENDED: ("todo", "协议已终止"),
}
STEPS: Final = {
    AgreementStep.TEST: "提交联调",
    AgreementStep.APPROVE: "批准协议",
    AgreementStep.GO_LIVE: "正式生效",
    AgreementStep.SEND_BACK: "退回草稿",
    AgreementStep.END: "终止协议",
}
ROLES: Final = {
    Role.UTILITY: "供电企业",
    Role.DEPARTMENT: "审批部门",
    Role.SOURCE: "数据来源",
    Role.OPERATOR: "平台运营方",
    Role.AUDITOR: "审计方",
}
KEY_USES: Final = {
    KeyUse.ANY: "全部用途",
    KeyUse.CLIENT_AUTH: "仅取得令牌",
    KeyUse.RECEIPT: "仅签发回执",
    KeyUse.OUTCOME: "仅签发审批结果",
    KeyUse.PROJECT: "仅推送工程项目",
}
CHANGE_REASONS: Final = {
    ChangeReason.ONBOARDING: "新单位接入",
    ChangeReason.ROTATION: "例行轮换",
    ChangeReason.COMPROMISED: "密钥可能泄露",
    ChangeReason.SECURITY_INCIDENT: "安全事件",
    ChangeReason.PARTNER_ASKED: "单位请求",
    ChangeReason.MENDED: "问题已处理",
    ChangeReason.DRILL: "应急演练",
}
VERDICTS: Final = {
    Verdict.PASSED: ("done", "测试通过"),
    Verdict.FAILED: ("wrong", "测试未通过"),
    Verdict.SKIPPED: ("todo", "未测"),
}
RUNS: Final = {
    Outcome.PASSED: ("done", "测试通过"),
    Outcome.FAILED: ("wrong", "测试未通过"),
    Outcome.UNREACHED: ("overdue", "对方没有应答"),
}
OVERRIDES: Final = {
    OverrideReason.FAULT_ACCEPTED: "已知问题，可以接受",
    OverrideReason.MENDED_SINCE: "测试之后已处理",
    OverrideReason.RECEIVES_OTHERWISE: "以 NATS 或拉取方式接收",
    OverrideReason.DRILL: "应急演练",
}
