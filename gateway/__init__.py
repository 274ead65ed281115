"""Bandian Gateway (办电网关): the hub. It decides, records and delivers; it holds no SQL and opens no sockets."""

__version__ = "0.1.0"
