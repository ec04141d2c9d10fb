"""How a number is printed for people: one function per kind of number, "" where it is not known (NaN).

Shares and scores are in [0, 1] and shown in percent, without the sign %, unless a function says otherwise. There is no
minus before a zero (`z` in the formats).
"""

from __future__ import annotations

from math import isinf, isnan


class Number(str):
    """A number as people read it. It is made here and never of a name, so a page shows it as it is."""


NOT_KNOWN = Number("")


def points(value: float) -> Number:
    """Return a share in percent with one digit, e.g. '71.5'."""
    return NOT_KNOWN if isnan(value) else Number(f"{100 * value:z.1f}")


def whole(value: float) -> Number:
    """Return a share in whole percent, e.g. '71'."""
    return NOT_KNOWN if isnan(value) else Number(f"{100 * value:z.0f}")


def rate(value: float) -> Number:
    """Return a share in whole percent with its sign, e.g. '40%'."""
    return NOT_KNOWN if isnan(value) else Number(f"{100 * value:z.0f}%")


def interval(low: float, high: float, digits: int = 0) -> Number:
    """Return an interval of shares, e.g. '66-76'."""
    return NOT_KNOWN if isnan(low) else Number(f"{100 * low:z.{digits}f}-{100 * high:z.{digits}f}")


def signed_interval(low: float, high: float) -> Number:
    """Return an interval of differences, whose ends may be below 0, e.g. '-3.2 to 9.0'."""
    return NOT_KNOWN if isnan(low) else Number(f"{100 * low:z.1f} to {100 * high:z.1f}")


def score(value: float, low: float, high: float) -> Number:
    """Return a share with its interval, e.g. '71.5 [66-76]'; without the interval where there is none."""
    limits = interval(low, high)
    return Number(f"{points(value)} [{limits}]") if limits else points(value)


def chance(value: float, low: float, high: float) -> Number:
    """Return a share with its interval in whole percent, e.g. '71% [66-76]'."""
    return NOT_KNOWN if isnan(value) else Number(f"{rate(value)} [{interval(low, high)}]")


def gain(value: float) -> Number:
    """Return a difference of shares in points, e.g. '+2.4'."""
    return NOT_KNOWN if isnan(value) else Number(f"{100 * value:+z.1f}")


def difference(value: float, low: float, high: float) -> Number:
    """Return a difference in points with its interval, e.g. '+2.4 [+1 to +4]'; without it where there is none."""
    if isnan(value) or isnan(low):
        return gain(value)
    return Number(f"{gain(value)} [{100 * low:+z.0f} to {100 * high:+z.0f}]")


def decimal(value: float, digits: int = 3) -> Number:
    """Return a number as it is with so many digits, e.g. '0.709'."""
    return NOT_KNOWN if isnan(value) else Number(f"{value:z.{digits}f}")


def short(value: float, digits: int = 4) -> Number:
    """Return a number with so many significant digits, e.g. '0.05'."""
    return NOT_KNOWN if isnan(value) else Number(f"{value:.{digits}g}")


def p_value(value: float) -> Number:
    """Return a p with two significant digits, e.g. '0.023'."""
    return short(value, 2)


def places(low: float, high: float) -> Number:
    """Return a range of places in an order, e.g. '1-3'."""
    return NOT_KNOWN if isnan(low) else Number(f"{low:z.0f}-{high:z.0f}")


def open_interval(low: float, high: float) -> Number:
    """Return an interval of rates in brackets, e.g. '[28-41]', or '[28% or more]' where it has no upper end."""
    if isnan(low):
        return NOT_KNOWN
    return Number(f"[{rate(low)} or more]" if isinf(high) else f"[{interval(low, high)}]")


def band(low: float, high: float) -> Number:
    """Return a range of numbers as they are, e.g. '0.012-0.034'."""
    return NOT_KNOWN if isnan(low) else Number(f"{low:z.3f}-{high:z.3f}")


def together(*numbers: str) -> Number:
    """Return numbers side by side without those that are not known."""
    return Number(" ".join(filter(None, numbers)))


def count(value: int) -> Number:
    """Return a whole number with commas between thousands, e.g. '12,000'."""
    return Number(f"{value:,}")
