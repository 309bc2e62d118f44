"""Ticks of logarithmic axes: plain numbers that do not collide."""

import math
from collections.abc import Sequence
from itertools import pairwise


def log_ticks(values: Sequence[float], *, at_values: bool = False) -> dict[float, str]:
    """Ticks of a logarithmic axis over `values`, each with its label; eight or nine at most.

    With `at_values` they stand at the values themselves, where these are few, short and apart.

    >>> log_ticks([4, 16, 64], at_values=True)
    {4: '4', 16: '16', 64: '64'}
    >>> list(log_ticks([0.13, 7.0]).values()), list(log_ticks([210.0, 390.0]).values())
    (['0.2', '0.5', '1', '2', '5'], ['250', '300', '350'])
    """
    from matplotlib.ticker import MaxNLocator

    known = sorted(set(values))
    low, high = known[0], known[-1]
    gap = min((b / a for a, b in pairwise(known)), default=math.inf)
    short = all(len(f"{value:g}") <= 4 for value in known)
    if at_values and short and gap > max((high / low) ** (1 / 12), 1.01):
        return {value: plain_number(value) for value in known}
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5), ()):
        ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
        if not steps:  # less than about a factor of 3
            ticks = [float(f"{t:.6g}") for t in MaxNLocator(4).tick_values(low, high)]
        ticks = [tick for tick in ticks if low * 0.99 <= tick <= high * 1.01]
        if len(ticks) >= 3:
            break
    ticks = ticks or [low]
    return {tick: plain_number(tick) for tick in ticks[:: -(-len(ticks) // 8)]}


def plain_number(value: float) -> str:
    """A number as people write it; outside 10⁻⁴ … 10⁶ with a power of ten.

    >>> plain_number(20000.0), plain_number(0.05), plain_number(1e-6), plain_number(3e7)
    ('20,000', '0.05', '10⁻⁶', '3·10⁷')
    """
    if 1e-4 <= value < 1e6:
        return f"{value:,.6g}"
    digit, power = f"{value:.4e}".split("e")
    factor = f"{float(digit):g}·".removeprefix("1·")
    return f"{factor}10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
