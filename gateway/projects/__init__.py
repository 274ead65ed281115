"""Engineering projects (工程建设项目): pushed by the approval platform, they become leads for utilities."""
