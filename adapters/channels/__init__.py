"""Channels of delivery: signed webhooks to utilities, signed review requests to departments."""
