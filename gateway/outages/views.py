"""Outages as they are published. Pure."""

from collections.abc import Sequence
from datetime import datetime

from gateway.outages.model import Outage
from schemas.outages import OutageView, PublicOutages


def outage_view(outage: Outage, at: datetime) -> OutageView:
    """One outage as the public reads it at the aware instant ``at``."""
    same = set(OutageView.model_fields) - {"state"}
    return OutageView(state=outage.state(at).value, **{name: getattr(outage, name) for name in same})


def public_outages(region: str, found: Sequence[Outage], at: datetime) -> PublicOutages:
    """All outages that touch a region."""
    return PublicOutages(region=region, outages=[outage_view(each, at) for each in found])
