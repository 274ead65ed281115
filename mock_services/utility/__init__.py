"""A utility's business system (供电企业营销系统), as an integrator would write it; copy ``client.py``."""
