"""Refuse every connection that would leave this machine. Put this folder on PYTHONPATH."""

import socket

_connect, _connect_ex = socket.socket.connect, socket.socket.connect_ex


def _inside(family: int, address: object) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = str(address[0])
    return host in ("localhost", "::1") or host.startswith("127.")


def connect(self, address):
    if not _inside(self.family, address):
        raise OSError(f"tests run without network: refused to connect to {address}")
    return _connect(self, address)


def connect_ex(self, address):
    if not _inside(self.family, address):
        raise OSError(f"tests run without network: refused to connect to {address}")
    return _connect_ex(self, address)


socket.socket.connect = connect
socket.socket.connect_ex = connect_ex
