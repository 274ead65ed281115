"""Approvals (电力外线工程审批): one intake, departments in parallel, and their outcomes."""
