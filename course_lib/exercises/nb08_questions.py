"""Notebook 08, the questions."""

from course_lib.exercises.choices import choice_question
from course_lib.exercises.exercise import Question, mistakes

# fmt: off
NUMBERS_MISTAKES = mistakes({
    "degree 3": (59, "That is degree 3, as in the original; degree 1 has four for each channel."),
    "colour without direction": (14, "That is a Gaussian of degree 0: three numbers of colour."),
    "a full matrix instead": (25, "Not nine numbers of a covariance: scales (3) and a quaternion (4)."),
    "a full matrix": (32, "Not nine numbers of a covariance, but scales (3) and a quaternion (4)."),
    "degree 2": (38, "That is degree 2, with nine coefficients for each channel; degree 1 has four."),
    "four in all": (15, "Four coefficients for each of three channels are twelve numbers."),
    "no opacity": (22,
        "Either the opacity is missing, or you count six numbers of a covariance in the place of scales "
        "(3) and a quaternion (4)."),
})
# fmt: on

NUMBERS = Question(
    name="numbers_per_gaussian",
    reference=23,
    misconceptions=NUMBERS_MISTAKES,
    hints=("Mean, scales, quaternion, opacity, and four coefficients for each channel.",),
    explanation="3 + 3 + 4 + 1 + 3 · 4 = 23. (The original has degree 3: 59.)",
)

# fmt: off
FAR = choice_question("why_thin_things_grow_when_far", "C", {
    "A": ("far Gaussians are sorted wrongly", "Their order is the same as from near."),
    "B": ("the spherical harmonics are too smooth", "They change colours, not shapes."),
    "C": ("the 0.3 square pixels are added at every distance",
        "A splat never gets thinner than √0.3 pixels, and its opacity stays: thin things get too "
        "thick. Mip-splatting (Yu et al. 2024) filters in space, and lowers the opacity."),
    "D": ("the affine approximation fails far away",
        "It becomes better with distance: rays become parallel."),
}, hints=("What of a splat does not shrink when the camera goes away?",))

CORE = choice_question("what_a_feed_forward_model_learns", "B", {
    "A": ("a new way to render", "LRM renders by the sum that you wrote; the other two draw nothing."),
    "B": ("to guess at once what an optimisation finds",
        "LRM, DUSt3R and VGGT are encoders and decoders as in notebook 5: trained on many scenes, "
        "then one pass for a new one."),
    "C": ("only where the cameras stood", "DUSt3R and VGGT find that too, but with points or depth."),
    "D": ("only meshes", "LRM gives a radiance field, the other two points."),
}, hints=("What would a network do instead of our training, if it has seen many scenes?",))
# fmt: on

EXERCISES = (NUMBERS, FAR, CORE)
