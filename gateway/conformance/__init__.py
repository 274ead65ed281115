"""接入符合性测试: what a partner shows before it goes live, check by check, each with what mends it."""
