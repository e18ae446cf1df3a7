"""SHA-256 by Python's own code: hashlib loads OpenSSL, 4 MB of memory for two sums."""

from __future__ import annotations

try:
    from _sha2 import sha256 as _sha256
except ImportError:  # Python before 3.12
    try:
        from _sha256 import sha256 as _sha256
    except ImportError:
        from hashlib import sha256 as _sha256


def sha256(content: bytes) -> str:
    """Return the sum of `content` in hexadecimal."""
    return str(_sha256(content).hexdigest())
