"""运营控制台: what officers see and do, over the same services as the operators' interface."""
