"""The command line: one file per group of commands, imported only when it is used. `main.py` is the way in."""
