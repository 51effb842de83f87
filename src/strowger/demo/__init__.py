"""A model provider that needs no account: a stand-in that answers over a real socket in the OpenAI Chat dialect.

`request.py` what it accepts · `model.py` what it answers · `tools.py` which tools it calls · `schema.py` values for
JSON schemas · `server.py` the socket.
"""
