"""Verdicts, hints and standings as short HTML in Jupyter and plain text elsewhere."""

from dataclasses import dataclass
from html import escape

from course_lib.checking.report import Report, State

COLORS = {
    State.CORRECT: ("#00614a", "#e3f5ef", "✓"),
    State.INCORRECT: ("#8a3b00", "#fdf0e3", "✗"),
    State.NOT_ATTEMPTED: ("#3f4a5a", "#eef1f5", "○"),
}
CODE = "background:#dfe3e8;color:#1b1f24;padding:0 .25em"  # the box is light in every theme


@dataclass(frozen=True)
class Message:
    """What a student is told: a headline, lines below it, and the state that colours the box."""

    state: State
    headline: str
    lines: tuple[str, ...] = ()

    def __repr__(self) -> str:
        mark = COLORS[self.state][2]
        return "\n".join([f"{mark} {self.headline}", *(f"  {line}" for line in self.lines)])

    def _repr_html_(self) -> str:
        color, background, mark = COLORS[self.state]
        lines = "".join(
            f'<div style="white-space:pre-wrap;margin-top:.3em">{_code(line)}</div>'
            for line in self.lines
        )
        return (
            f'<div role="status" style="border-left:5px solid {color};background:{background};'
            f'color:#1b1f24;padding:.5em .9em;margin:.3em 0;max-width:52em">'
            f'<strong style="color:{color}">{mark} {_code(self.headline)}</strong>{lines}</div>'
        )


def _code(text: str) -> str:
    """Escaped text, in which `backquoted` parts become code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    tagged = [
        f'<code style="{CODE}">{part}</code>' if i % 2 else part for i, part in enumerate(parts)
    ]
    return "".join(tagged)


def report_message(report: Report) -> Message:
    """The verdict in words: the misconception's message if one fits, else the first failing case."""
    exercise, name = report.exercise, f"{report.exercise.number} {report.exercise.name}"
    if report.state is State.CORRECT:
        cases = f" ({report.passed} of {report.total} cases)" if exercise.cases else ""
        extra = (exercise.explanation,) if exercise.explanation else ()
        return Message(report.state, f"{name}: correct{cases}", extra)
    if report.state is State.NOT_ATTEMPTED:
        todo = f"{name}: not attempted yet"
        return Message(report.state, todo, (_next_step(report),))
    return Message(report.state, f"{name}: incorrect{_score(report)}", _explain(report))


def _next_step(report: Report) -> str:
    where = f'A nudge: `hint("{report.exercise.name}")`.'
    if not report.exercise.cases:
        return f"Replace `...` by your answer, run the cell, then this one. {where}"
    return (
        "Write the body in the cell above, run it, then this one. Until then the notebook goes on "
        f"with the reference. {where}"
    )


def _score(report: Report) -> str:
    return f" ({report.passed} of {report.total} cases pass)" if report.total > 1 else ""


def _explain(report: Report) -> tuple[str, ...]:
    lines = []
    if report.misconception:
        lines.append(report.misconception.message)
    found = report.difference
    if report.case is not None and found is not None:
        lines.append(f"First failing case: “{report.case.name}”: {found.text}.")
    elif found and not report.misconception:
        lines.append(f"{found.text[0].upper()}{found.text[1:]}.")
    if found and (found.expected or found.got):
        lines.append(f"expected: {found.expected}\n     got: {found.got}")
    if report.printed:
        lines.append(f"Your code printed: {report.printed.strip()[:400]}")
    return tuple(lines)
