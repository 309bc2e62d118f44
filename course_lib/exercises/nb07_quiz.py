"""Notebook 07, the questions, and the quiz over the whole lecture."""

from course_lib.exercises.exercise import Exercise, Misconception, mistakes


def _choice(number, name, right, choices, wrong, hints, explanation) -> Exercise:
    """A multiple-choice question; `wrong` says of each other letter why not."""
    misconceptions = tuple(Misconception(letter, letter, text) for letter, text in wrong.items())
    return Exercise(
        number=number,
        name=name,
        reference=right,
        choices=choices,
        misconceptions=misconceptions,
        hints=hints,
        explanation=explanation,
    )


# fmt: off
SLAB_OPACITY_MISTAKES = mistakes({
    "per sample": (0.4, "That is the optical depth of one sample, σδ."),
    "one sample": (0.3296799539643607, "That is the opacity of one sample."),
    "transmittance": (0.1353352832366127, "That is what passes; opacity is the rest."),
    "linear": (2.0, "That is the optical depth σL; an opacity is at most 1."),
})
# fmt: on

SLAB_OPACITY = Exercise(
    number="7.8",
    name="slab_opacity",
    reference=0.8646647167633873,
    misconceptions=SLAB_OPACITY_MISTAKES,
    hints=("However it is cut, the slab has the optical depth σL = 2.", "Opacity = 1 − exp(−σL)."),
    explanation="1 − exp(−4 · 0.5) = 0.865, for 5 samples or 5000: the formula is exact for "
    "constant density.",
)

VIEW_DEPENDENCE = _choice(
    "7.1",
    "why_density_ignores_the_view",
    "B",
    {
        "A": "because a direction has only two numbers",
        "B": "because a surface does not move when one walks around it",
        "C": "because the network would become too slow",
        "D": "because density cannot be differentiated with respect to a direction",
    },
    {
        "A": "The colour gets the direction, too, and has no trouble with its two numbers.",
        "C": "One more input costs next to nothing.",
        "D": "It can. The reason is about the world, not about calculus.",
    },
    ("What could a field cheat with, if a wall might vanish when looked at from the left?",),
    "With σ(x, d) every photograph could have its own geometry, and the views would not constrain "
    "each other; colour may depend on the direction, since highlights do.",
)

QUIZ_VOXELS = _choice(
    "7.11",
    "quiz_occupied_share",
    "C",
    {
        "A": "it stays the same",
        "B": "it doubles",
        "C": "it halves",
        "D": "it falls to an eighth",
    },
    {
        "A": "The cells shrink in three directions, the surface covers them in two.",
        "B": "More cells touch the surface, but their number grows as r², that of all cells as r³.",
        "D": "That would be a single point; a surface has r² cells.",
    },
    ("How many cells does a surface touch on r³, and how many cells are there?",),
    "A surface touches about c·r² of r³ cells: the share goes as 1/r.",
)

QUIZ_CHAMFER = _choice(
    "7.12",
    "quiz_one_sided_chamfer",
    "A",
    {
        "A": "it covers one corner of the chair very well",
        "B": "it has the right number of points",
        "C": "it is a mirror image of the chair",
        "D": "it is all of the chair, and a second chair beside it",
    },
    {
        "B": "The number of points does not enter a mean.",
        "C": "Mirrored points are not close to the chair, unless it is symmetric.",
        "D": "The second chair's points are far from the first: that costs much.",
    },
    ("From prediction to truth only: which points of the truth does nobody ask about?",),
    "Only predicted points are asked for their nearest neighbour; what is missing goes unpunished.",
)

QUIZ_IMPLICIT = _choice(
    "7.13",
    "quiz_gradient_of_an_sdf",
    "D",
    {"A": "0", "B": "it depends on the curvature", "C": "the distance", "D": "1"},
    {
        "A": "Then the distance would not change when one walks away from the surface.",
        "B": "Curvature is in the second derivatives.",
        "C": "One step away adds one step of distance, however far one is.",
    },
    ("Walk a small step straight away from the surface: how much farther are you?",),
    "|∇SDF| = 1 almost everywhere: the eikonal equation.",
)

QUIZ_METRIC = _choice(
    "7.14",
    "quiz_outlier",
    "B",
    {"A": "F1", "B": "Hausdorff distance", "C": "Chamfer distance", "D": "IoU"},
    {
        "A": "One point among ten thousand moves precision by a hundredth of a percent.",
        "C": "A mean over ten thousand points dilutes one outlier.",
        "D": "One stray voxel hardly changes a volume.",
    },
    ("Which of them is a maximum?",),
    "A maximum hears the loudest voice: one point decides.",
)

QUIZ_TABLE = _choice(
    "7.15",
    "quiz_serialised_row",
    "C",
    {
        "A": "the model could not read numbers otherwise",
        "B": "the text is shorter than the table",
        "C": "what the columns mean comes with the row, so few labelled rows are enough",
        "D": "the order of the columns would matter otherwise",
    },
    {
        "A": "Numbers can be fed to any network.",
        "B": "It is longer.",
        "D": "A table's columns have names; their order need not matter.",
    },
    ("What does a language model know about “education: Doctorate” that a tree does not?",),
    "The pretrained model brings what it read about the words: useful when labels are few, and less "
    "and less so as they become many.",
)

EXERCISES = (
    SLAB_OPACITY,
    VIEW_DEPENDENCE,
    QUIZ_VOXELS,
    QUIZ_CHAMFER,
    QUIZ_IMPLICIT,
    QUIZ_METRIC,
    QUIZ_TABLE,
)
