"""工程建设项目线索: every utility's leads, for officers."""
