"""Mock engineering-project approval platform (工程建设项目审批管理系统): pushes projects in the V3 exchange shape."""
