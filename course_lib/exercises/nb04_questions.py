"""Notebook 04, the questions."""

from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Question, mistakes

# fmt: off
PRINTED_CHAMFER_MISTAKES = mistakes({
    "paper": (0.02, "That is the paper's formula, which divides by |Q| as well."),
    "not squared": (200.1, "You did not square: 0.1² = 0.01."),
    "both sums": (30.0, "The first sum *is* divided by |P| on the slide."),
    "second only": (20.0, "Do not forget the first term, |P|⁻¹ Σ = 0.01."),
    "swapped": (10.01, "The second sum has |Q| = 2000 terms, not |P| = 1000."),
    "one term": (0.01, "That is the first term alone; the second is a sum over Q."),
})
# fmt: on

PRINTED_CHAMFER = Question(
    name="printed_chamfer",
    reference=20.01,
    misconceptions=PRINTED_CHAMFER_MISTAKES,
    hints=("The first term is a mean of 1000 equal numbers, the second a sum of 2000.",),
    explanation="0.1² = 0.01: the mean gives 0.01, the sum 2000 · 0.01 = 20.",
)

# fmt: off
LAPLACIAN_MINIMUM = choice_question("laplacian_minimum", "C", {
    "A": ("the rabbit that it started as, only smoother",
        "A smooth shape has δ ≠ 0: a vertex lies outside its neighbours' middle."),
    "B": ("the flattest surface with the same volume",
        "Nothing in the loss knows the volume, so nothing keeps it."),
    "C": ("all vertices in one point",
        "The outermost vertex in any direction equals the middle of its neighbours only if "
        "they are all as far out; through a connected mesh that makes all vertices equal."),
    "D": ("a flat disc, the shadow of the rabbit",
        "The rim of a flat disc has neighbours on one side only: δ ≠ 0 there."),
    "E": ("it oscillates and never comes to rest",
        "The loss is a convex quadratic form: small steps always lead downhill."),
}, hints=("The loss is 0 only if every vertex *is* the middle of its neighbours.",
         "Take the vertex that is farthest to the right. How can it be the middle of its "
         "neighbours?"))
# fmt: on

# fmt: off
OUTLIER_METRIC = choice_question("outlier_metric", "B", {
    "A": ("all three become about 20 times worse",
        "F1 and Chamfer are means over many points: one point weighs 1/n."),
    "B": ("Hausdorff becomes 20 times worse, Chamfer less than twice as bad, F1 hardly changes",
        "A maximum follows its worst point, a mean of squares feels it with weight 1/n, and a "
        "count only notices that one point has crossed the threshold."),
    "C": ("Chamfer becomes 20 times worse, Hausdorff less than twice as bad, F1 hardly changes",
        "It is the maximum that one point can decide, not the mean."),
    "D": ("F1 falls to 0, the other two hardly change",
        "For F1 one point in a thousand turns from near to far: it loses .0005."),
    "E": ("none of them changes visibly",
        "The maximum of the distances is decided by the worst point alone."),
}, hints=("Which of the three is a maximum, which a mean, and which a count?",))
# fmt: on
