"""Multiple-choice questions as tables: letter, choice, and what to tell who chooses it."""

from course_lib.exercises.exercise import Question, mistakes


def choice_question(
    name: str, right: str, table: dict[str, tuple[str, str]], hints: tuple[str, ...]
) -> Question:
    """A multiple choice from a table: letter -> (the choice, what to tell who chooses it)."""
    remarks = {letter: remark for letter, (_, remark) in table.items()}
    return Question(
        name,
        right,
        misconceptions=mistakes({x: (x, remarks[x]) for x in table if x != right}),
        hints=hints,
        explanation=remarks[right],
        choices={letter: text for letter, (text, _) in table.items()},
    )
