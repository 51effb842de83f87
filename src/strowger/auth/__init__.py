"""Who pays: credentials, where they come from, and to which hosts they may travel. Knows no connection pool."""

from strowger.auth.credential import AuthSource, Credential, header_for, redact, redact_headers
from strowger.auth.sources import ReferenceSource, Sources, client_credentials, resolve, source_for

__all__ = [
    "AuthSource",
    "Credential",
    "ReferenceSource",
    "Sources",
    "client_credentials",
    "header_for",
    "redact",
    "redact_headers",
    "resolve",
    "source_for",
]
