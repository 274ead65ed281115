"""身份核验: 刷脸办电 and its alternatives. The gateway sees what was established and how, never a face."""
