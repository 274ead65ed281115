"""对账: what the gateway sent to a utility and what the utility holds are compared, day by day, and made equal."""
