"""Labelled controls from short descriptions; all can be used by keyboard."""

import math
from typing import Any

STEP = 0.05  # of a logarithmic slider: 20 steps are a factor of ten
CONTROL = (
    "(low, high, value[, step]) for a slider, a list or dict for a menu, True/False for a box to "
    "tick, a text, or an ipywidgets widget"
)


def make_controls(spec: dict[str, Any]) -> dict[str, Any]:
    """{name: description} to {name: ipywidgets control}, labelled with the name.

    A description is (low, high, value[, step]) for a slider (whole numbers if all are whole), a list
    or {label: value} for a menu, True or False for a box to tick, a text, or a widget.

    >>> make_controls({"point_count": (10, 100, 50)})["point_count"].description
    'point count'
    """
    if not spec:
        raise ValueError(f"expected at least one control {{name: description}}: {CONTROL}")
    return {name: _control(name, description) for name, description in spec.items()}


def log_slider(low: float, high: float, value: float) -> Any:
    """A slider whose steps are equal ratios, for `explore`'s controls.

    It starts at the step nearest to `value`.

    >>> log_slider(0.001, 1.0, 0.01).value
    0.01
    """
    import ipywidgets

    if not 0 < low <= value <= high:
        raise ValueError(f"expected 0 < low <= value <= high, got {low}, {value}, {high}")
    ends = {"min": math.log10(low), "max": math.log10(high)}
    steps = round((math.log10(value) - ends["min"]) / STEP)  # the browser shows whole steps alone
    value = min(10 ** (ends["min"] + steps * STEP), high)
    return ipywidgets.FloatLogSlider(value=value, **ends, step=STEP, readout_format=".3g")


def describe(name: str, control: Any) -> str:
    """A control in words: its label, value and range.

    >>> describe("size", make_controls({"size": (1, 3, 2)})["size"])
    'size 2 (1 to 3)'
    """
    label = control.description or name
    if hasattr(control, "_options_full") or hasattr(control, "options"):
        return f"{label} {control.label} (of {', '.join(map(str, _labels(control)))})"
    if hasattr(control, "base"):
        low, high = control.base**control.min, control.base**control.max
        return f"{label} {control.value:.3g} ({low:.3g} to {high:.3g})"
    if hasattr(control, "min"):
        return f"{label} {control.value:.4g} ({control.min:.4g} to {control.max:.4g})"
    return f"{label} {control.value}"


def _labels(control: Any) -> list:
    options = control.options
    if isinstance(options, dict):
        return list(options)
    return [option[0] if isinstance(option, tuple) else option for option in options]


def _control(name: str, description: Any) -> Any:
    import ipywidgets

    if isinstance(description, ipywidgets.Widget):
        control = description
    elif isinstance(description, tuple) and len(description) in (3, 4):
        control = _slider(description)
    elif isinstance(description, bool | str | list | dict) and description not in ([], {}):
        control = ipywidgets.interactive.widget_from_abbrev(description)
    else:
        raise ValueError(f"expected {CONTROL} for {name!r}, got {description!r}")
    control.description = control.description or name.replace("_", " ")
    control.style.description_width = "150px"
    width = "760px" if isinstance(control, ipywidgets.Text) else "460px"  # room for a sentence
    control.layout = ipywidgets.Layout(width=width, max_width="98%")
    return control


def _round_step(span: float) -> float:
    """About a fiftieth of `span`, as 1, 2 or 5 times a power of ten: round values are steps, too.

    >>> _round_step(6.5), _round_step(2.0), _round_step(1.0)
    (0.1, 0.02, 0.02)
    """
    power = 10.0 ** math.floor(math.log10(span / 50 * 1.001))
    return float(f"{max(s for s in (1, 2, 5) if s * power <= span / 50 * 1.001) * power:.3g}")


def _slider(description: tuple) -> Any:
    import ipywidgets

    low, high, value, *given = description
    if not low <= value <= high:
        raise ValueError(f"expected low <= value <= high, got {description}")
    whole = all(isinstance(number, int) for number in description)
    step = given[0] if given else 1 if whole else _round_step((high - low) or 1.0)
    slider = ipywidgets.interactive.widget_from_abbrev((low, high, step), value)
    slider.readout_format = "d" if whole else ".3g"
    return slider
