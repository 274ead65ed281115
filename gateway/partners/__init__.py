"""Who may call: organisations, their keys, and the sharing agreements (数据共享协议) under which they may ask."""
