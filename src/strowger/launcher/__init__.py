"""Starting clients on the gateway: `run.py` is the story, `clients.py` what each needs, `sessions.py` who runs."""
