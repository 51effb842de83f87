"""The measuring bench: a fake upstream, a load generator, and runs that compare proxies from outside.

Must not import strowger: a subject is a command and a port, whoever wrote it.
"""
