"""Durations as Go writes them (Go: time.ParseDuration)."""

import re

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def go_duration(text: str) -> float:
    """The seconds of a duration such as 10m, 1m30s, 0 or -5s; ValueError where it is none."""
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    parts = _PART.findall(unsigned)
    if unsigned != "0" and (not parts or "".join(number + unit for number, unit in parts) != unsigned):
        raise ValueError(f"not a duration like 10m or 1m30s: {text}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds
