"""What things cost in a database of 10⁴ to 10⁷ record entries: docs/performance.md, section Growth."""
