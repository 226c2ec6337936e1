"""The digest of everything that decides the rows, and the difference between two specs in words."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.tables import store

Facts = Mapping[str, Any]


def fingerprint(facts: Facts) -> str:
    """sha256 of the canonical JSON, 64 hexadecimal digits. Raises ValueError for NaN."""
    return hashlib.sha256(store.canonical_json(facts)).hexdigest()


WHY = {"threads": "which moves the last bits of sums; leave --threads out to go on, --workers may change"}
"""Where it is not plain why a field decides the rows, of which both sides have a value."""


def differences(stored: Facts, asked: Facts) -> list[str]:
    """One line for each field that differs, e.g. `seed: 1 there, 2 asked`."""
    lines = []
    for name in sorted({*stored, *asked}):
        there, here = stored.get(name), asked.get(name)
        if store.canonical_json(there) != store.canonical_json(here):
            why = f", {WHY[name]}" if name in WHY and None not in (there, here) else ""
            lines.append(f"{name}: {_short(there)} there, {_short(here)} asked{why}")
    return lines


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else text[:57] + "..."
