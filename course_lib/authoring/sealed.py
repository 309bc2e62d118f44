"""Program text that runs but is not there to be read; a release that withholds solutions has a copy.

A seal is compression and an encoding, no encryption: it stops a glance and a text search, not a
student who decodes it on purpose.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

STORE = Path(__file__).parent / "sealed.json"


def seal(text: str) -> str:
    """The text in sealed form.

    >>> opened(seal("x = 1"))
    'x = 1'
    """
    return base64.b85encode(zlib.compress(text.encode("utf-8"), 9)).decode("ascii")


def opened(sealed: str) -> str:
    """The inverse of `seal`."""
    return zlib.decompress(base64.b85decode(sealed)).decode("utf-8")


def unseal(key: str, namespace: dict[str, Any]) -> Any:
    """Run the sealed text `key` in a module's namespace; returns what it defines under that name."""
    text = opened(json.loads(STORE.read_text(encoding="utf-8"))[key])
    exec(compile(text, f"<sealed {key}>", "exec"), namespace)
    return namespace.get(key)
