"""Who works at the mock province's console. Made-up people; two operators, because some things take two persons."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StaffMember:
    """One person, and the roles that the province gave them."""

    subject: str
    name: str
    roles: tuple[str, ...]
    description: str


STAFF = {
    member.subject: member
    for member in (
        StaffMember("operator-chen", "陈立", ("operator",), "运营人员"),
        StaffMember("operator-liang", "梁敏", ("operator",), "运营人员（双人复核的另一人）"),
        StaffMember("reviewer-zhou", "周宁", ("reviewer",), "核查人员"),
        StaffMember("auditor-he", "何静", ("auditor",), "审计人员（只读）"),
        StaffMember("authority-luo", "罗平", ("authority",), "能源主管部门"),
        StaffMember("clerk-tan", "谭一", (), "没有控制台角色"),
        StaffMember("chief-wu", "吴双", ("operator", "auditor"), "有两个角色，按规定不能登录"),
    )
}
