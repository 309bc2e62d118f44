"""Labelled controls from short descriptions; all can be used by keyboard."""

from typing import Any

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

    >>> log_slider(0.001, 1.0, 0.01).value
    0.01
    """
    import math

    import ipywidgets

    if not 0 < low <= value <= high:
        raise ValueError(f"expected 0 < low <= value <= high, got {low}, {value}, {high}")
    ends = {"min": math.log10(low), "max": math.log10(high)}
    return ipywidgets.FloatLogSlider(value=value, **ends, step=0.05, readout_format=".3g")


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
    control.layout = ipywidgets.Layout(width="460px", max_width="98%")
    return control


def _slider(description: tuple) -> Any:
    import ipywidgets

    low, high, value = description[:3]
    if not low <= value <= high:
        raise ValueError(f"expected low <= value <= high, got {description}")
    whole = all(isinstance(number, int) for number in description)
    step = description[3] if len(description) == 4 else 1 if whole else (high - low) / 50
    slider = ipywidgets.interactive.widget_from_abbrev((low, high, step), value)
    slider.readout_format = "d" if whole else ".3g"
    return slider
