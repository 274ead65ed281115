"""停电信息: what utilities tell of planned outages and faults, of repairs under way, and of power that is back."""
