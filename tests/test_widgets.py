"""Moving a control changes what is shown; the static twin and the words follow."""

import numpy as np
import pytest
import torch

from course_lib import meshes, viz, widgets
from course_lib.widgets import explorer as explorers
from course_lib.widgets.controls import make_controls


def grey(level):
    return np.full((6, 6), level)


def test_moving_a_slider_changes_the_picture():
    explorer = widgets.explore(grey, {"level": (0.0, 1.0, 0.0)}, alt="A grey square.")
    assert explorer.shown[0].picture.max() == 0
    explorer.controls["level"].value = 1.0
    assert explorer.shown[0].picture.min() == 255
    assert "level 1 (0 to 1)" in explorer.text


@pytest.mark.parametrize(
    "spec", [(1.5, 8.0, 3.0), (-2.0, 0.0, -1.5), (0.0, 0.05, 0.0), (0.25, 4.0, 1.0)]
)
def test_a_slider_starts_on_one_of_its_steps(spec):
    slider = make_controls({"a": spec})["a"]
    steps = (slider.value - slider.min) / slider.step
    assert slider.value == spec[2] and steps == pytest.approx(round(steps))
    assert 20 < (slider.max - slider.min) / slider.step < 130


@pytest.mark.parametrize("value", [0.001, 0.003, 0.3, 9.9, 10])
def test_a_logarithmic_slider_starts_on_one_of_its_steps(value):
    slider = widgets.log_slider(0.001, 10, value)
    steps = (np.log10(slider.value) - slider.min) / slider.step
    assert steps == pytest.approx(round(steps)) and slider.value == pytest.approx(value, rel=0.07)


def test_controls_are_labelled_and_of_the_right_kind():
    spec = {
        "point_count": (1, 9, 3),
        "scale": (0.0, 1.0, 0.5),
        "rate": widgets.log_slider(0.01, 1.0, 0.1),
        "shape": ["ball", "box"],
        "size": {"small": 1, "large": 2},
        "wire": True,
        "prompt": "Yes or no?",
    }
    controls = make_controls(spec)
    kinds = [type(control).__name__ for control in controls.values()]
    assert kinds == [
        "IntSlider",
        "FloatSlider",
        "FloatLogSlider",
        "Dropdown",
        "Dropdown",
        "Checkbox",
        "Text",
    ]
    assert all(control.description for control in controls.values())
    assert controls["point_count"].description == "point count"


@pytest.mark.parametrize(
    "spec", [{}, {"a": None}, {"a": (1, 2)}, {"a": (1, 2, 5)}, {"a": []}, {"a": 7}]
)
def test_odd_controls_are_refused(spec):
    with pytest.raises(ValueError, match="expected"):
        widgets.explore(lambda **_: grey(0), spec, alt="Nothing.")


@pytest.mark.parametrize("steps", [(0, 2, 1, 3, 0), (3, 0, 2)])
def test_meshes_grow_and_shrink_in_place_without_indices_out_of_range(steps):
    explorer = widgets.explore(
        lambda n: meshes.icosphere(n), {"n": (0, 3, steps[0])}, alt="A ball.", size=40
    )
    live = explorer.scenes[0].objects[0]

    def check(_):
        assert len(live.indices) == 0 or live.indices.max() < len(live.vertices)

    live.observe(check, names=["vertices", "indices"])
    for n in steps[1:]:
        explorer.controls["n"].value = n
        assert explorer.scenes[0].objects[0] is live
        assert len(live.vertices) == len(meshes.icosphere(n).vertices)
        assert len(live.indices) == len(meshes.icosphere(n).faces)


def test_clouds_voxels_and_segments_are_live_too():
    def update(n):
        grid = torch.zeros(n, n, n)
        grid[0, 0, 0] = 1
        cloud = viz.Item(torch.rand(n, 3), colors=torch.rand(n, 3))
        return viz.Scene(cloud, grid, torch.rand(n, 2, 3))

    explorer = widgets.explore(update, {"n": (2, 9, 4)}, alt="Three things.", size=40)
    explorer.controls["n"].value = 7
    cloud, voxels, segments = explorer.scenes[0].objects
    assert cloud.positions.shape == (7, 3) and cloud.colors.shape == (7,)
    assert voxels.vertices.shape == (24, 3)
    assert segments.indices.shape == (7, 2)


def test_edges_are_drawn_live_and_follow_the_mesh():
    explorer = widgets.explore(
        lambda n: viz.Item(meshes.icosphere(n), wire=True), {"n": (0, 2, 0)}, alt="A.", size=40
    )
    _, edges = explorer.scenes[0].objects
    for n, count in ((0, 30), (2, 480), (1, 120)):  # Euler: v + f − 2
        explorer.controls["n"].value = n
        assert explorer.scenes[0].objects[1] is edges
        assert edges.indices.shape == (count, 2) and len(edges.vertices) == 2 * count
    mesh = explorer.scenes[0].objects[0]
    assert edges.color < mesh.color and edges.width < 0.02


def test_colours_of_points_and_vertices_are_not_dimmed_by_the_colour_of_the_whole():
    ball, colors = meshes.icosphere(0), torch.ones(12, 3)
    items = [viz.Item(what, colors=colors) for what in (ball, ball.vertices)]
    view = widgets.view3d(*items, ball.vertices, alt="Three.", size=40)
    assert [live.color for live in view.scenes[0].objects] == [0xFFFFFF, 0xFFFFFF, 0x009E73]


def test_numbers_and_texts_stand_below_the_pictures():
    def update(n):
        viz.table([["faces", n]], ["what", "count"], "Counts")
        return [grey(n / 3), f"{n}"]

    explorer = explorers.Explorer(
        update, make_controls({"n": (0, 3, 1)}), alt="A.", size=40, view=(0, 0), bounds=None
    )
    _, row, below, *_ = explorer.build().children
    assert ["<img" in panel.value for panel in row.children] == [True]
    assert "<caption" in below.children[0].value and "1" in below.children[1].value


def test_a_view_says_that_it_computes_while_it_does():
    busy = []

    def update(n):
        busy.append(explorer and explorer._script.busy)
        return grey(1 / n)

    explorer = None
    explorer = widgets.explore(update, {"n": (0, 3, 1)}, alt="Grey.")
    explorer.controls["n"].value = 2
    explorer.controls["n"].value = 0  # an error
    assert busy == [None, True, True] and not explorer._script.busy


def test_a_change_of_kind_replaces_the_objects():
    choices = {"mesh": meshes.icosphere(0), "cloud": viz.Item(torch.rand(5, 3))}
    explorer = widgets.explore(
        lambda kind: viz.Scene(choices[kind]), {"kind": ["mesh", "cloud"]}, alt="A.", size=40
    )
    explorer.controls["kind"].value = "cloud"
    assert explorer.scenes[0].objects[0].type == "Points"
    assert len(explorer.scenes[0].plot.objects) == 1


def test_linked_views_share_their_controls_and_keep_their_canvases():
    def update(n):
        ball = meshes.icosphere(n)
        viz.table([["faces", len(ball.faces)]], ["what", "count"], "Counts")
        return [viz.Scene(ball, title=f"{n}"), viz.Scene(ball.vertices), viz.render(ball, size=40)]

    explorer = widgets.explore(update, {"n": (0, 2, 1)}, alt="A ball twice.", size=40)
    assert [type(one).__name__ for one in explorer.shown] == ["Figure", "Scene", "Scene", "Figure"]
    explorer.controls["n"].value = 2
    assert len(explorer.scenes) == 2
    assert "320" in explorer.shown[0].alt
    assert "320" in explorer.text


def test_charts_inside_explore_are_not_shown_elsewhere():
    def update(n):
        viz.line_chart({"a": ([1, 2], [1, n])}, x="x", y="y", alt="A line.")

    explorer = widgets.explore(update, {"n": (1, 5, 2)}, alt="A slope.")
    explorer.controls["n"].value = 5
    assert "to 5 at" in explorer.shown[0].alt


def test_an_error_while_moving_is_shown_instead_of_lost():
    explorer = widgets.explore(lambda n: grey(1 / n), {"n": (0, 3, 1)}, alt="Grey.")
    explorer.controls["n"].value = 0
    assert "ZeroDivisionError" in explorer.shown[0].alt
    explorer.controls["n"].value = 1
    assert explorer.shown[0].picture is not None


def test_an_update_that_shows_nothing_is_refused():
    with pytest.raises(ValueError, match="got None"):
        widgets.explore(lambda n: None, {"n": (0, 3, 1)}, alt="Nothing.")


def test_a_scene_is_framed_alike_where_there_is_no_k3d(monkeypatch):
    monkeypatch.setattr(explorers, "has_k3d", lambda: False)
    ball = viz.Scene(meshes.icosphere(1))
    look = {"size": 40, "view": (0, 0), "bounds": torch.tensor([[-3.0] * 3, [3.0] * 3])}
    explorer = explorers.Explorer(lambda: ball, {}, alt="A.", **look)
    row = explorer.build().children[0]
    assert row.children[0].value == viz.Figure("A.", viz.render(ball, **look)).as_html()


def test_the_play_button_moves_its_slider():
    explorer = explorers.Explorer(
        grey, make_controls({"level": (0, 1, 0)}), alt="G.", size=40, view=(0, 0), bounds=None
    )
    play = explorer.build(play="level").children[0]
    assert type(play).__name__ == "Play"
    assert play._link_to_slider.target == (explorer.controls["level"], "value")
    with pytest.raises(ValueError, match="play="):
        widgets.explore(grey, {"level": (0, 1, 0)}, alt="G.", play="speed")


@pytest.mark.parametrize("what", [None, torch.zeros(0, 3), torch.full((2, 3), float("inf"))])
def test_view3d_refuses_nothing_and_infinity(what):
    with pytest.raises(ValueError, match="expected"):
        widgets.view3d(what, alt="Nothing.")
    with pytest.raises(ValueError, match="alt="):
        widgets.view3d(torch.rand(3, 3), alt="")


def test_the_stored_output_has_a_live_view_a_static_twin_and_words(monkeypatch):
    stored = []
    monkeypatch.setattr(explorers, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, **kw: stored.append((data, kw)))
    for _ in range(2):
        widgets.view3d(meshes.icosphere(1), alt="A ball.", size=60)
    (first, options), (second, _) = stored
    assert {explorers.VIEW, "image/png", "text/html", "text/plain"} <= set(first)
    assert options["metadata"]["image/png"]["alt"] == "A ball."
    assert "0x" not in first["text/plain"]
    for form in ("text/plain", "image/png", "text/html"):
        assert first[form] == second[form]  # the same from run to run


def test_without_k3d_the_static_picture_takes_its_place(monkeypatch):
    monkeypatch.setattr(explorers, "has_k3d", lambda: False)
    explorer = widgets.view3d(meshes.icosphere(1), alt="A ball.", size=60)
    assert explorer.scenes == [] and explorer.picture.shape[0] > 60


def test_a_figure_that_is_shown_and_returned_is_shown_once():
    def update(size):
        return [viz.gallery([np.zeros((8, size, 3))], ["a"], alt="A black picture.")]

    explorer = widgets.explore(update, {"size": (4, 8, 6)}, alt="A picture of some width.")
    assert len(explorer.shown) == 1
    explorer.controls["size"].value = 8
    assert len(explorer.shown) == 1


def test_the_static_twin_keeps_tables_and_texts():
    def update(size):
        viz.table([["a", size]], ["name", "size"], "Sizes")
        return [np.zeros((4, size)), "a remark"]

    static = widgets.explore(update, {"size": (4, 8, 6)}, alt="A picture.").static()
    assert static.html.startswith("<img") and "<caption" in static.html
    assert "a remark" in static.html and "a remark" in static.alt
    assert "run this cell to move it" in static.html


def test_shapes_in_narrow_views_beside_each_other_are_not_cut_off():
    bar = meshes.box((2.0, 0.2, 0.2))
    alone, beside = (widgets.view3d(*[viz.Scene(bar)] * n, alt="Bars.", size=280) for n in (1, 2))
    eyes = [torch.tensor(v.scenes[0].plot.camera[:3]).norm().item() for v in (alone, beside)]
    across = bar.vertices[:, 0].max().item() * np.cos(np.radians(30))  # seen from the side
    assert eyes[1] > eyes[0] and across / (eyes[1] * np.tan(np.radians(15))) < 260 / 340


def test_a_field_for_a_text_has_room_for_a_sentence():
    controls = make_controls(
        {"question": "Does this person earn more than 50000 dollars?", "n": (0, 9, 3)}
    )
    widths = [int(control.layout.width.removesuffix("px")) for control in controls.values()]
    assert widths[0] > 600 > widths[1]
