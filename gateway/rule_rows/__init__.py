"""规则行: dated, region-scoped rows that officers add to the published rules, two persons each."""
