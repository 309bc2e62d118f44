"""The pages of a grading run: plain HTML with inline SVG, everything from students escaped."""

import re
from collections import Counter
from collections.abc import Iterable
from html import escape
from statistics import mean, median
from urllib.parse import quote

from course_lib.exercises import find
from course_lib.grading.assemble import Plan
from course_lib.grading.formats import totals
from course_lib.grading.marks import Mark
from course_lib.grading.similarity import Pair
from course_lib.grading.students import Student, safe_name

BAR_WIDTH, BAR_HEIGHT = 320, 22
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff;max-width:60em;margin:2em auto;
padding:0 1em} table{border-collapse:collapse} th,td{text-align:left;padding:.3em .8em;
border-bottom:1px solid #c9d1da;vertical-align:top} section{border-left:5px solid #3f4a5a;
padding:.2em 1em;margin:1em 0;background:#f4f6f8} section.good{border-color:#00614a}
section.bad{border-color:#8a3b00} svg text{font:14px system-ui,sans-serif;fill:#1b1f24}
rect{fill:#0b6aa8}
"""


def feedback_page(student: Student, plans: list[Plan]) -> str:
    """What a student is told: points, status and diagnosis of every exercise."""
    marks = [student.marks[p.exercise] for p in plans if p.exercise in student.marks]
    points, most = sum(m.points for m in marks), sum(m.max for m in marks)
    body = f"<p>{points:g} of {most:g} points.</p>"
    if student.problem:
        body += f"<p>The submission could not be read: {_text(student.problem)}.</p>"
    body += "".join(
        f"<p>Notebook {number}: {p:g} of {m:g} points.</p>"
        for number, (p, m) in totals(student, plans).items()
    )
    body += "".join(_section(mark) for mark in marks)
    return _page(f"Feedback for {student.name}", body)


def _section(mark: Mark) -> str:
    kind = "good" if mark.points >= mark.max else "bad"
    number = find(mark.exercise).number
    title = f"{number} {mark.exercise}: {mark.status}, {mark.points:g} of {mark.max:g} points"
    by_hand = f"Set by hand (the grader gave {mark.graded:g}): {mark.by_hand}" * bool(mark.by_hand)
    told = filter(None, [*mark.feedback, mark.late, by_hand])
    lines = "".join(f"<p>{_text(line)}</p>" for line in told)
    return f'<section class="{kind}"><h2>{_text(title)}</h2>{lines}</section>'


def report_page(students: list[Student], plans: list[Plan], pairs: list[Pair]) -> str:
    """The instructor's page."""
    points = [sum(m.points for m in student.marks.values()) for student in students] or [0.0]
    most = sum(plan.points for plan in plans)
    body = f"<p>{len(students)} students, {len(plans)} exercises. Of {most:g} points: "
    body += f"mean {mean(points):.2f}, median {median(points):.2f}.</p>"
    body += _students(students, plans) + _distribution(students) + _success(students, plans)
    body += _misconceptions(students) + _flags(students) + _pairs(pairs)
    return _page("Grading report", body)


def _students(students: list[Student], plans: list[Plan]) -> str:
    """Everybody's totals, with a link to the page."""
    numbers = list(totals(students[0], plans)) if students else []
    rows = []
    for student in students:
        found = totals(student, plans)
        name = f'<a href="feedback/{quote(safe_name(student.name))}.html">{_text(student.name)}</a>'
        flagged = sum(bool(mark.flags) for mark in student.marks.values())
        by_hand = sum(bool(mark.by_hand) for mark in student.marks.values())
        cells = [f"{sum(p for p, _ in found.values()):g}", *(f"{found[n][0]:g}" for n in numbers)]
        cells += [str(flagged or ""), str(by_hand or "")]
        rows.append(f"<td>{name}</td>" + "".join(f"<td>{cell}</td>" for cell in cells))
    head = ["student", "total", *(f"notebook {n}" for n in numbers), "to look at", "by hand"]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    top = "".join(f"<th>{cell}</th>" for cell in head)
    return f"<h2>Students</h2><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _distribution(students: list[Student]) -> str:
    totals = []
    for student in students:
        marks = student.marks.values()
        totals.append(sum(m.points for m in marks) / max(1e-9, sum(m.max for m in marks)))
    bins = Counter(min(9, int(share * 10 + 1e-9)) for share in totals)
    rows = [(f"{10 * i} to {10 * i + 10} %", bins[i]) for i in range(10)]
    return "<h2>Distribution of the points</h2>" + _bars(rows, len(students))


def _success(students: list[Student], plans: list[Plan]) -> str:
    rows = []
    for plan in plans:
        marks = [s.marks[plan.exercise] for s in students if plan.exercise in s.marks]
        full = sum(mark.points >= mark.max for mark in marks)
        rows.append((f"{find(plan.exercise).number} {plan.exercise}", full))
    return "<h2>Full marks per exercise</h2>" + _bars(rows, len(students))


def _misconceptions(students: list[Student]) -> str:
    marks = [mark for student in students for mark in student.marks.values()]
    found = Counter(f"{m.exercise}: {m.misconception}" for m in marks if m.misconception)
    title = "<h2>Most common misconceptions</h2>"
    if not found:
        return f"{title}<p>None was recognised.</p>"
    return title + _bars(found.most_common(15), max(found.values()))


def _bars(rows: list[tuple[str, int]], most: int) -> str:
    """A bar chart of students that is a labelled list of numbers to a screen reader."""
    label = "; ".join(f"{name}: {value} students" for name, value in rows)
    left = 8 * max((len(name) for name, _ in rows), default=0) + 12
    height = BAR_HEIGHT * len(rows)
    parts = []
    for i, (name, value) in enumerate(rows):
        width, top = BAR_WIDTH * value / max(1, most), i * BAR_HEIGHT
        parts.append(f'<text x="0" y="{top + 16}">{_text(name)}</text>')
        parts.append(f'<rect x="{left}" y="{top + 3}" width="{width:.1f}" height="16"/>')
        parts.append(f'<text x="{left + width + 6:.1f}" y="{top + 16}">{value}</text>')
    size = f'width="{left + BAR_WIDTH + 50}" height="{height}"'
    return f'<svg role="img" aria-label="{_text(label)}" {size}>{"".join(parts)}</svg>'


def _flags(students: list[Student]) -> str:
    rows = [
        (student.name, mark.exercise, mark.status, flag)
        for student in students
        for mark in student.marks.values()
        for flag in mark.flags
    ]
    if not rows:
        return "<h2>To look at</h2><p>Nothing.</p>"
    return "<h2>To look at</h2>" + _table(("student", "exercise", "status", "why"), rows)


def _pairs(pairs: list[Pair]) -> str:
    note = "<p>Alike up to names and numbers: a hint for a human, never a mark.</p>"
    if not pairs:
        return "<h2>Similar texts</h2><p>None.</p>"
    rows = [(p.exercise, p.first, p.second, f"{p.similarity:.2f}") for p in pairs]
    table = _table(["exercise", "first", "second", "likeness"], rows)
    return f"<h2>Similar texts</h2>{note}{table}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    lines = ("".join(f"<td>{_text(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    """Escaped, without control characters such as those of terminal colours."""
    return escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text))


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style></head><body><h1>{_text(title)}</h1>{body}</body></html>\n"
    )
