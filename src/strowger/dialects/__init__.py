"""How a conversation is written on a wire: one folder per dialect, the same three files in each.

`wire.py` holds the dialect's own words and types, `request.py` parses and renders requests, `response.py` decodes and
encodes answers and errors. Everything here is pure: bytes in, values out. No dialect knows another, a provider, a
clock or a socket.
"""
