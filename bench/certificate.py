"""A self-signed certificate for 127.0.0.1, made anew for each run by the `openssl` program. Kept only for that run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_EXTENSIONS = ("subjectAltName=IP:127.0.0.1,DNS:localhost", "basicConstraints=critical,CA:TRUE")


def make_certificate(directory: Path) -> tuple[Path, Path] | None:
    """(certificate, key) as PEM files in the directory; None where there is no `openssl` program."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    cert, key = directory / "bench-cert.pem", directory / "bench-key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=strowger bench", "-keyout", str(key), "-out", str(cert)]
    for extension in _EXTENSIONS:
        command += ["-addext", extension]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key
