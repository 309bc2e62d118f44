"""Pictures show what they should, every figure has words, and bad input is named."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import meshes, viz
from course_lib.viz import charts
from course_lib.viz import figure as figures
from course_lib.viz.faces import exposed_faces
from course_lib.viz.ticks import log_ticks

BACKGROUND = 255


def shown(picture):
    return (picture != BACKGROUND).any(axis=-1)


def test_a_ball_is_a_disc_in_the_middle():
    picture = viz.render_mesh(meshes.icosphere(3), size=80)
    rows, columns = np.nonzero(shown(picture))
    assert picture.shape == (80, 80, 3) and picture.dtype == np.uint8
    assert abs(rows.mean() - 39.5) < 1 and abs(columns.mean() - 39.5) < 1
    assert shown(picture).mean() == pytest.approx(np.pi / 4 * 0.9**2, rel=0.12)


def test_light_comes_from_above():
    picture = viz.render_mesh(meshes.icosphere(3), size=64, view=(0, 0)).astype(float)
    assert picture[20, 32].sum() > picture[44, 32].sum() + 50


def test_up_is_up_and_azimuth_turns_towards_x():
    above = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    colors = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    options = {"colors": colors, "point_size": 0.3, "size": 40}
    picture = viz.render_points(above, view=(0, 0), **options).astype(int)
    red = np.nonzero(picture[..., 0] > picture[..., 2] + 50)
    blue = np.nonzero(picture[..., 2] > picture[..., 0] + 50)
    assert red[0].mean() < blue[0].mean()  # smaller row: higher
    beside = above[:, [2, 0, 1]] + 0.0  # the red one at +z
    picture = viz.render_points(beside, view=(90, 0), **options).astype(int)
    red = np.nonzero(picture[..., 0] > picture[..., 2] + 50)
    blue = np.nonzero(picture[..., 2] > picture[..., 0] + 50)
    assert red[1].mean() < blue[1].mean()  # from +x, +z is on the left


def test_the_nearer_thing_hides_the_farther():
    near, far = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    items = [viz.Item(far, color="#ff0000", size=1.0), viz.Item(near, color="#0000ff", size=1.0)]
    for order in (items, items[::-1]):
        middle = viz.render(*order, size=32, view=(0, 0))[16, 16]
        assert middle[2] > middle[0]


def test_voxels_are_drawn_where_they_are():
    grid = torch.zeros(4, 4, 4)
    grid[0, 3, 0] = 1  # least x, greatest y
    rows, columns = np.nonzero(shown(viz.render_voxels(grid, size=64, view=(0, 0))))
    assert rows.max() < 32 and columns.max() < 32


def test_exposed_faces_of_a_block_are_its_surface_and_face_outwards():
    vertices, faces = exposed_faces(torch.ones(2, 2, 2, dtype=torch.bool))
    mesh = meshes.Mesh(vertices, faces)
    assert mesh.area().item() == pytest.approx(24.0)
    assert mesh.volume().item() == pytest.approx(8.0)


def test_a_transparent_shell_lets_its_content_through():
    inside = viz.Item(meshes.box(0.5), color="#ff0000")
    shell = viz.Item(meshes.icosphere(2), color="#0000ff", opacity=0.3)
    middle = viz.render(shell, inside, size=32)[16, 16]
    assert middle[0] > middle[2]


def test_edges_and_colours_change_the_picture():
    mesh = meshes.icosphere(1)
    plain = viz.render_mesh(mesh, size=64)
    assert (viz.render_mesh(mesh, size=64, wire=True) < plain).any()
    per_face = torch.zeros(len(mesh.faces), 3)
    assert viz.render_mesh(mesh, size=64, colors=per_face)[32, 32].max() < 60
    per_vertex = torch.ones(len(mesh.vertices), 3)
    assert viz.render_mesh(mesh, size=64, colors=per_vertex)[28, 28].min() > 150


def test_segments_join_their_ends():
    ends = torch.tensor([[[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    columns = np.nonzero(shown(viz.render(ends, size=60, view=(0, 0))).any(axis=0))[0]
    assert len(columns) == columns.max() - columns.min() + 1 > 45


@pytest.mark.parametrize(
    "what",
    [
        None,
        torch.zeros(0, 3),
        torch.tensor([[0.0, float("nan"), 0.0]]),
        torch.zeros(4),
        "a mesh",
        viz.Item,
    ],
)
def test_nothing_nan_and_odd_shapes_are_refused(what):
    with pytest.raises(ValueError, match="expected"):
        viz.render(what)


def test_colours_of_the_wrong_number_are_refused():
    with pytest.raises(ValueError, match=r"\[5\], got \(4, 3\)"):
        viz.render_points(torch.rand(5, 3), colors=torch.rand(4, 3))
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        viz.render_points(torch.rand(5, 3), colors=torch.full((5, 3), 2.0))


def test_an_empty_grid_is_an_empty_picture():
    assert not shown(viz.render_voxels(torch.zeros(4, 4, 4), size=16)).any()


def test_a_gallery_has_its_pictures_and_words():
    figure = viz.gallery([np.zeros((4, 4)), np.ones((8, 4, 3))], ["black", "white"], alt="Two.")
    data, metadata = figure.bundle()
    assert data["text/plain"] == "Two. Pictures: black; white."
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert 'alt="Two. Pictures: black; white."' in data["text/html"]
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.size[::-1] == figure.picture.shape[:2]


def test_titles_of_a_wide_page_stay_readable_when_it_is_made_smaller():
    few, many = (
        viz.arrange([np.ones((150, 150, 3), np.uint8)] * n, ["I"] * n, columns=n) for n in (2, 6)
    )
    heights = [(page[:, :150] < 100).any(axis=(1, 2)).sum() - 150 for page in (few, many)]
    assert heights[1] >= 1.2 * heights[0] > 6


def test_pictures_of_a_row_stand_level_whatever_the_length_of_their_titles():
    black = np.zeros((40, 60, 3), np.uint8)
    page = viz.arrange([black] * 2, ["short", "a title that\nhas several lines"], columns=2)
    dark = (page < 30).all(axis=2)
    tops = [np.nonzero(dark[:, x].astype(int))[0] for x in (8 + 5, 8 + 60 + 8 + 5)]
    assert len(tops[0]) == len(tops[1]) == 40 and tops[0][0] == tops[1][0] > 40
    figure = viz.gallery([black], ["two\nlines"], alt="Black.")
    assert figure.alt == "Black. Pictures: two, lines."


def test_hurried_pictures_are_the_same_packed_less_tightly(monkeypatch):
    monkeypatch.delenv("COURSE_FAST", raising=False)
    picture = viz.render_mesh(meshes.icosphere(2), size=120)
    tight = figures.img(picture, "A ball.")
    with figures.hurried():
        loose = figures.img(picture, "A ball.")
    assert len(tight) < len(loose) and figures.img(picture, "A ball.") == tight
    files = [base64.b64decode(html.split("base64,")[1].split('"')[0]) for html in (tight, loose)]
    pixels = [np.asarray(Image.open(io.BytesIO(file))).astype(int) for file in files]
    assert abs(pixels[0] - pixels[1]).mean() < 3


def test_words_are_escaped_in_html():
    assert 'alt="a &lt; &quot;b&quot;"' in viz.gallery([np.zeros((2, 2))], alt='a < "b"').as_html()


@pytest.mark.parametrize("alt", ["", "  "])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="alt="):
        viz.gallery([np.zeros((2, 2))], alt=alt)


@pytest.mark.parametrize("image", [None, np.full((2, 2), np.nan), np.full((2, 2), 7.0), np.ones(3)])
def test_odd_images_are_refused(image):
    with pytest.raises(ValueError, match="expected"):
        viz.gallery([image], alt="Nothing.")


def test_charts_have_a_live_and_a_static_form():
    figure = viz.line_chart({"a": ([1, 2], [3, 4])}, x="step", y="loss", alt="It rises.")
    data, _ = figure.bundle()
    spec = data["application/vnd.plotly.v1+json"]
    assert spec["data"][0]["x"] == [1.0, 2.0] and spec["data"][0]["y"] == [3.0, 4.0]
    assert {"image/png", "text/html", "text/plain"} <= set(data)
    assert "from 3 at x = 1 to 4 at x = 2" in data["text/plain"]
    json.dumps(spec, allow_nan=False)


def test_charts_take_tensors_gaps_and_logarithms():
    values = torch.tensor([1.0, float("nan"), 100.0], requires_grad=True)
    figure = viz.line_chart({"a": ([1, 2, 3], values)}, x="x", y="y", alt="Gap.", log_y=True)
    assert figure.forms["application/vnd.plotly.v1+json"]["data"][0]["y"] == [1.0, None, 100.0]


def test_plotly_accepts_the_charts():
    plotly = pytest.importorskip("plotly.graph_objects")
    bars = {"CPU": {"a": 1.0, "b": 2.0}, "GPU": {"a": 0.5, "b": 0.1}}
    figure = viz.bar_chart(bars, y="seconds", alt="Bars.")
    assert len(plotly.Figure(figure.forms["application/vnd.plotly.v1+json"]).data) == 2


def test_lines_differ_in_more_than_colour():
    series = {name: ([1, 2], [3, 4]) for name in "abcd"}
    figure = viz.line_chart(series, x="x", y="y", alt="Four.")
    traces = figure.forms["application/vnd.plotly.v1+json"]["data"]
    assert len({trace["line"]["dash"] for trace in traces}) == 4
    assert len({trace["marker"]["symbol"] for trace in traces}) == 4


def test_a_legend_stands_above_the_plot():
    points = {"a": ([0, 1], [0, 1])}
    alone = viz.scatter_chart(points, x="x", y="y", alt="One.").picture
    both = viz.scatter_chart({**points, "b": ([0], [1])}, x="x", y="y", alt="Two.").picture
    many = viz.scatter_chart({c * 60: ([0], [1]) for c in "abcd"}, x="x", y="y", alt="Four.")
    black = [(picture[:20, 100:] < 60).all(axis=2).any() for picture in (alone, both)]
    assert black == [False, True]  # letters above the plot
    assert len(many.picture) - len(both) == 3 * 20  # a row for each long label


def test_lines_stand_out_from_the_paper():
    for color in map(charts.line_color, range(len(viz.PALETTE))):
        red, green, blue = (
            c / 12.92 if c < 0.04 else ((c + 0.055) / 1.055) ** 2.4 for c in viz.rgb(color)
        )
        brightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        assert 1.05 / (brightness + 0.05) > 2.2, color  # W3C's contrast ratio


def test_bars_are_outlined_in_ink_in_both_forms():
    bars = {label: {"a": 1.0, "b": 2.0} for label in "abcdefgh"}
    figure = viz.bar_chart(bars, y="y", alt="Bars.")
    for trace in figure.forms["application/vnd.plotly.v1+json"]["data"]:
        assert trace["marker"]["line"] == {"color": charts.INK, "width": 1}
    row = figure.picture[-80].astype(int)  # through all bars
    light = (row.sum(axis=1) > 450) & (np.ptp(row, axis=1) > 40)
    assert light.any() and not (light[1:] & (row[:-1] == BACKGROUND).all(axis=1)).any()


@pytest.mark.parametrize("low", [1e-7, 0.013, 1.0, 7.0, 6e4])
@pytest.mark.parametrize("span", [1.0, 1.004, 1.2, 1.9, 4.0, 30.0, 1e3, 1e9])
def test_ticks_of_a_logarithmic_axis_are_few_plain_and_apart(low, span):
    ticks = log_ticks([low, low * span])
    assert 1 <= len(ticks) <= 9 and all("e" not in text for text in ticks.values())
    assert len(set(ticks.values())) == len(ticks)
    assert all(low * 0.98 <= tick <= low * span * 1.02 for tick in ticks)


def test_a_logarithmic_axis_has_its_ticks_at_few_values_in_both_forms():
    series = {"a": ([4, 16, 64], [1, 2, 3]), "b": ([4, 64], [1, 2])}
    options = {"x": "k", "y": "y", "log_x": True, "log_y": True}
    layout = viz.line_chart(series, alt="A.", **options).forms["application/vnd.plotly.v1+json"]
    axis = layout["layout"]["xaxis"]
    assert axis["tickvals"] == [4, 16, 64] and axis["ticktext"] == ["4", "16", "64"]


def test_charts_are_as_wide_as_a_narrow_cell_and_as_high_alive_as_still():
    figure = viz.line_chart({c * 60: ([0], [1]) for c in "abcd"}, x="x", y="y", alt="Four.")
    layout = figure.forms["application/vnd.plotly.v1+json"]["layout"]
    assert figure.picture.shape[1] <= 560 and "width" not in layout
    assert layout["height"] == len(figure.picture)


def test_long_names_of_bars_are_broken_into_lines():
    lines = charts.wrapped("fixed samples, no jitter", bars=4).split("\n")
    assert lines == ["fixed samples,", "no jitter"]
    assert charts.wrapped("one-hot (97 columns)", bars=3) == "one-hot (97 columns)"
    assert charts.wrapped("numbers only (4 columns)", bars=3) == "numbers only\n(4 columns)"


def test_rows_of_points_may_have_names_in_place_of_numbers():
    rows = {"tables": ([2023, 2025], [1, 1]), "scenes": ([2020], [2])}
    names = {1: "tables", 2: "scenes"}
    figure = viz.scatter_chart(rows, x="year", y="branch", alt="Two rows.", names=names)
    spec = figure.forms["application/vnd.plotly.v1+json"]
    axis = spec["layout"]["yaxis"]
    assert axis["ticktext"] == ["tables", "scenes"] and axis["type"] == "linear"
    assert not any(trace["showlegend"] for trace in spec["data"])


@pytest.mark.parametrize(
    "series",
    [{}, {"a": None}, {"a": ([1], None)}, {"a": ([1, 2], [1])}, {"a": ([], [])}],
)
def test_odd_series_are_refused(series):
    with pytest.raises(ValueError, match="expected"):
        viz.line_chart(series, x="x", y="y", alt="Nothing.")


def test_zero_on_a_logarithmic_axis_is_refused():
    with pytest.raises(ValueError, match="> 0"):
        viz.line_chart({"a": ([1, 2], [0, 1])}, x="x", y="y", alt="Zero.", log_y=True)


def test_tables_have_header_cells_a_caption_and_plain_text():
    figure = viz.table([["ball", 0.5, None], ["box", 12345.678, 2]], ["shape", "x", "n"], "Sizes")
    html = figure.as_html()
    assert "<caption" in html and 'scope="col"' in html and 'scope="row"' in html
    assert "12,346" in figure.alt and "–" in figure.alt
    with pytest.raises(ValueError, match="cells"):
        viz.table([["a"]], ["one", "two"], "Wrong")


def test_colormap_runs_from_dark_to_bright():
    luminance = viz.colormap(torch.linspace(0, 1, 20)) @ torch.tensor([0.2126, 0.7152, 0.0722])
    assert (luminance.diff() > 0).all()


def test_figures_are_shown_once_in_a_notebook(monkeypatch):
    displayed = []
    monkeypatch.setattr(figures, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, **_: displayed.append(data))
    figure = viz.gallery([np.zeros((2, 2))], alt="Black.")
    figure._ipython_display_()
    assert len(displayed) == 1 and "image/png" in displayed[0]


def test_charts_in_colab_use_its_renderer(monkeypatch):
    import sys
    import types

    shows = []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr("course_lib.viz.charts.in_notebook", lambda: True)
    monkeypatch.setattr(
        "plotly.graph_objects.Figure.show", lambda _, renderer: shows.append(renderer)
    )
    viz.bar_chart({"a": 1.0}, y="y", alt="One bar.")
    assert shows == ["colab"]


def test_numbers_in_tensors_are_aligned_like_others():
    plain, packed = (viz.table([["a", x]], ["k", "x"], "One") for x in (0.5, torch.tensor(0.5)))
    assert packed.as_html() == plain.as_html() and "text-align:right" in plain.as_html()


def test_fractions_of_a_column_have_equally_many_decimals_and_no_exponents():
    rows = [["a", 1.0, 2.0, 55360, 4.819e-6], ["b", 0.02667, 3.005e-5, 224, 0.0004]]
    lines = viz.table(rows, ["k", "x", "y", "n", "small"], "Two").alt.split("\n")[2:]
    cells = [line.split()[1:] for line in lines]
    assert cells == [
        ["1.0000", "2", "55,360", "4.819·10⁻⁶"],
        ["0.0267", "3.005·10⁻⁵", "224", "0.0004"],
    ]


def test_a_long_name_breaks_before_the_numbers_beside_it():
    name = "one-hot LR from the prior of the language model (stored)"
    html = viz.table([[name, *["0.750 ± 0.012"] * 4]], list("mabcd"), "Four columns").html
    assert html.count("white-space:nowrap") == 4


def test_short_cells_stay_on_one_line():
    html = viz.table(
        [["a", "0.75 ± 0.02", "a sentence of some length"]], ["k", "x", "y"], "One"
    ).html
    assert html.count("white-space:nowrap") == 1
    wide = viz.table([["a", *["0.750 ± 0.000 (20)"] * 5]], list("abcdef"), "Six columns").html
    assert "nowrap" not in wide


def test_a_network_is_boxes_joined_by_arrows_and_what_runs_beside_them():
    row = viz.network(["a picture", "encoder", "code"], alt="An encoder.")
    both = viz.network(
        ["a picture", "encoder", "code"], alt="U.", aside="maps", taken=[0], given=[2]
    )
    assert row.alt.endswith("a picture → encoder → code.")
    middle = row.picture[len(row.picture) // 2]
    assert shown(middle).mean() > 0.9  # boxes and arrows leave no gap
    assert len(both.picture) > len(row.picture) + 40
    assert (both.picture[: len(row.picture) - 8] == row.picture[:-8]).all()
