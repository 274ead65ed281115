"""办理情况的公开与监督: the rules in force, durations against their limits, open data, the 重点任务台账.

It reads what the other rooms decided and recorded, and changes nothing.
"""
