"""Retention periods for tests."""

from gateway.retention.policies import Periods

PERIODS = Periods(
    parties_days=180,
    withdrawn_parties_days=30,
    deliveries_days=90,
    undelivered_days=365,
    project_contacts_days=30,
    silent_projects_days=730,
    outages_days=365,
    capacities_days=365,
)
