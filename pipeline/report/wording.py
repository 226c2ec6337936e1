"""How numbers and names are written on a page."""

import math
from typing import Any

NOT_RECORDED = "not recorded"
_MINUS = "\N{MINUS SIGN}"


def score(value: float, digits: int = 2) -> str:
    """`+1.24`, `−0.52`, `0.00`; `none` for a row without a finite score."""
    if not math.isfinite(value):
        return "none"
    text = f"{value:+.{digits}f}"
    return text.removeprefix("+").removeprefix("-") if float(text) == 0 else text.replace("-", _MINUS)


def difference(value: float) -> str:
    """`+0.0123`, `−2.31`, `0`: three digits, as many decimals as they take."""
    text = f"{value:+.3g}"
    return "0" if float(text) == 0 else text.replace("-", _MINUS)


def measure(value: float, name: str) -> str:
    """A label in units: `age_years` 31.4 is `31 years`, `yaw_degrees` -12.3 is `−12°`, others as a score."""
    if not math.isfinite(value):
        return "none"
    if name.endswith("_years"):
        return f"{value:.0f} years"
    if name.endswith("_degrees"):
        return f"{value:.0f}°".replace("-0°", "0°").replace("-", _MINUS)
    return score(value)


def plain(name: str) -> str:
    """`age_years` is read as `age`, `yaw_degrees` as `yaw angle`; an attribute keeps its name."""
    return name.removesuffix("_years").replace("_degrees", " angle")


def tick(value: float) -> str:
    """An axis value: as few digits as it has."""
    return f"{value:.6g}".replace("-", _MINUS)


def count(value: Any) -> str:
    """`1,280,000`."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else anything(value)


def chosen(rows: int, there: int) -> str:
    """What a page says that is about some rows alone."""
    return f"This page shows only {rows:,} of {there:,} rows, those that were selected"


def share(part: int, whole: int) -> str:
    """`64.8 %`."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


def duration(value: Any) -> str:
    """Seconds as `41.2 s`, `14 m 02 s`, `3 h 07 m`."""
    if not _is_number(value):
        return anything(value)
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m" if hours else f"{minutes} m {seconds:02d} s"


def rate(value: Any) -> str:
    """`3.14`, `545`: three digits, no more."""
    return (
        f"{value:,.3g}"
        if _is_number(value) and abs(value) < 1000
        else f"{value:,.0f}"
        if _is_number(value)
        else anything(value)
    )


def size(value: Any) -> str:
    """Bytes as `840 B`, `12.3 MB`, `1.90 GB`: three digits."""
    if not _is_number(value):
        return anything(value)
    unit = min(int(math.log10(value)) // 3, 4) if value >= 1 else 0
    return f"{value:.0f} B" if unit == 0 else f"{value / 1000**unit:#.3g}".rstrip(".") + f" {'_kMGT'[unit]}B"


def anything(value: Any) -> str:
    """A value of a spec or a summary in words; or that it is missing."""
    if value is None or (isinstance(value, str | list | tuple | dict) and not value):
        return NOT_RECORDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(anything(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {anything(item)}" for key, item in value.items())
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
