"""Notebook 07, the questions, and the quiz over the whole lecture."""

from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Question, mistakes

# fmt: off
SLAB_OPACITY_MISTAKES = mistakes({
    "per sample": (0.4, "That is the optical depth of one sample, σδ."),
    "one sample": (0.3296799539643607, "That is the opacity of one sample."),
    "transmittance": (0.1353352832366127, "That is what passes; opacity is the rest."),
    "approximated": (0.92224, "You took σδ for the opacity of a sample: it is 1 − exp(−σδ)."),
    "linear": (2.0, "That is the optical depth σL; an opacity is at most 1."),
})
# fmt: on

SLAB_OPACITY = Question(
    name="slab_opacity",
    reference=0.8646647167633873,
    misconceptions=SLAB_OPACITY_MISTAKES,
    hints=("However it is cut, the slab has the optical depth σL = 2.", "Opacity = 1 − exp(−σL)."),
    explanation="1 − exp(−4 · 0.5) = 0.865, for 5 samples or 5000: the formula is exact for "
    "constant density.",
)

# fmt: off
VIEW_DEPENDENCE = choice_question("why_density_ignores_the_view", "B", {
    "A": ("because a direction has only two numbers",
        "The colour gets the direction, too, and has no trouble with its two numbers."),
    "B": ("because a surface does not move when one walks around it",
        "With σ(x, d) every photograph could have its own geometry, and the views need not "
        "constrain each other; colour may depend on the direction, since highlights do."),
    "C": ("because the network would become too slow", "One more input costs next to nothing."),
    "D": ("because density cannot be differentiated with respect to a direction",
        "It can. The reason is about the world, not about calculus."),
}, hints=("What could a field cheat with, if a wall might vanish when looked at from the left?",))
# fmt: on

# fmt: off
QUIZ_VOXELS = choice_question("quiz_occupied_share", "C", {
    "A": ("it stays the same",
        "The cells shrink in three directions, the surface covers them in two."),
    "B": ("it doubles",
        "More cells touch the surface, but their number grows as r², that of all cells as r³."),
    "C": ("it halves", "A surface touches about c·r² of r³ cells: the share goes as 1/r."),
    "D": ("it falls to an eighth", "That would be a single point; a surface has r² cells."),
}, hints=("How many cells does a surface touch on r³, and how many cells are there?",))
# fmt: on

# fmt: off
QUIZ_CHAMFER = choice_question("quiz_one_sided_chamfer", "A", {
    "A": ("it covers one corner of the chair very well",
        "Only predicted points are asked for their nearest neighbour; what is missing goes "
        "unpunished."),
    "B": ("it has the right number of points", "The number of points does not enter a mean."),
    "C": ("it is a mirror image of the chair",
        "Mirrored points are not close to the chair, unless it is symmetric."),
    "D": ("it is all of the chair, and a second chair beside it",
        "The second chair's points are far from the first: that costs much."),
}, hints=("From prediction to truth only: which points of the truth does nobody ask about?",))
# fmt: on

# fmt: off
QUIZ_IMPLICIT = choice_question("quiz_gradient_of_an_sdf", "D", {
    "A": ("0", "Then the distance would not change when one walks away from the surface."),
    "B": ("it depends on the curvature", "Curvature is in the second derivatives."),
    "C": ("the distance", "One step away adds one step of distance, however far one is."),
    "D": ("1", "|∇SDF| = 1 almost everywhere: the eikonal equation."),
}, hints=("Walk a small step straight away from the surface: how much farther are you?",))
# fmt: on

# fmt: off
QUIZ_METRIC = choice_question("quiz_outlier", "B", {
    "A": ("cubes of the distances in place of their squares",
        "A cube listens to large distances even more than a square does."),
    "B": ("the distances themselves in place of their squares",
        "A square pulls the harder the farther a point is, a length always with the same force: a few "
        "strays are outvoted."),
    "C": ("the largest distance in place of the mean",
        "Then one stray is all that counts: that is the Hausdorff distance."),
    "D": ("more points drawn from the mesh",
        "Each stray pulls at its nearest point all the same."),
}, hints=("How strongly does a point pull at its neighbour? Differentiate d² and d.",))
# fmt: on

# fmt: off
QUIZ_TABLE = choice_question("quiz_serialised_row", "C", {
    "A": ("the model could not read numbers otherwise", "Numbers can be fed to any network."),
    "B": ("the text is shorter than the table", "It is longer."),
    "C": ("what the columns mean comes with the row, so few labelled rows are enough",
        "The pretrained model brings what it read about the words: useful when labels are few, "
        "and less and less so as they become many."),
    "D": ("the order of the columns would matter otherwise",
        "A table's columns have names; their order need not matter."),
}, hints=("What does a language model know about “education: Doctorate” that a tree does not?",))
# fmt: on
