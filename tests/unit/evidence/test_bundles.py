"""A whole bundle proves everything; a redacted one what it can, and names nobody."""

from gateway.evidence.verify_evidence import verify_evidence
from tests.unit.evidence.conftest import Made


def test_whole(made: Made) -> None:
    report = verify_evidence(made.whole, made.anchors)
    print("\n".join(each.text("en") for each in report.findings))
    assert report.exit_code == 0
