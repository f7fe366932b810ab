"""The paper's network as a figure, with every number read from the network itself."""

from math import log2
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, Ellipse, FancyBboxPatch, Polygon, Rectangle

from face_models.siamese import siamese_resnet50

INK, LINE, SHARED, TAP = "#1f2933", "#52606d", "#2f6690", "#b0413e"
REFERENCE_Y, PROBE_Y, MIDDLE_Y = 4.6, 1.4, 3.0


class Numbers(NamedTuple):
    """The numbers in the figure: shapes without the batch axis, and counts of weights."""

    picture: tuple[int, int, int]
    stages: tuple[tuple[int, int, int], ...]
    features: int
    projection: int
    features_weights: int
    head_weights: int


def read_numbers() -> Numbers:
    """Read the figure's numbers from the network itself."""
    model = siamese_resnet50()
    features, projection = model.get_layer("features"), model.get_layer("projection")
    names = ("maxpool", "layer1_2_relu3", "layer2_3_relu3", "layer3_5_relu3", "layer4_2_relu3")
    return Numbers(
        picture=features.input_shape[1:],
        stages=tuple(features.get_layer(name).output.shape[1:] for name in names),
        features=features.output_shape[-1],
        projection=projection.output_shape[-1],
        features_weights=features.count_params(),
        head_weights=model.count_params() - features.count_params(),
    )


def draw(numbers: Numbers) -> Figure:
    """Draw the figure.

    Args:
        numbers: from `read_numbers`.

    Returns:
        A matplotlib figure, 13 x 5.4 inches.
    """
    figure = Figure(figsize=(13, 5.4), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, 15.2)
    axes.set_ylim(-0.35, 6.1)
    axes.set_aspect("equal")
    for y, label, masked in ((REFERENCE_Y, "reference", False), (PROBE_Y, "probe", True)):
        _face(axes, 0.95, y, masked)
        height, width, channels = numbers.picture
        axes.text(0.95, y - 1.0, f"{label}\n{height} × {width} × {channels}", **_text(9, va="top"))
        _stages(axes, y, numbers)
        _box(axes, 8.5, y, 0.5, 1.7, str(numbers.features), "#cfe1ee")
        _box(axes, 10.0, y, 0.5, 1.1, str(numbers.projection), "#f6e3c5")
        _arrow(axes, (1.75, y), (2.15, y))
        _arrow(axes, (8.75, y), (9.75, y))
        axes.text(9.25, y + 0.12, "dense\nsigmoid", **_text(7.5, va="bottom"))
    axes.annotate(
        "",
        (4.4, PROBE_Y + 0.95),
        (4.4, REFERENCE_Y - 1.15),
        arrowprops={"arrowstyle": "<->", "color": SHARED, "lw": 1.4, "linestyle": "--"},
    )
    millions = numbers.features_weights / 1e6
    axes.text(
        4.25,
        MIDDLE_Y,
        f"ResNet50 v1.5, shared weights\n{millions:.1f} million",
        **_text(9.5, ha="right", color=SHARED),
    )
    _head(axes, numbers)
    return figure


def _head(axes: Axes, numbers: Numbers) -> None:
    for y in (REFERENCE_Y, PROBE_Y):
        _arrow(axes, (10.25, y), (11.22, MIDDLE_Y + (0.33 if y > MIDDLE_Y else -0.33)))
    _circle(axes, 11.5, MIDDLE_Y, 0.45, "|a − b|")
    _arrow(axes, (11.95, MIDDLE_Y), (12.6, MIDDLE_Y))
    axes.text(12.27, MIDDLE_Y + 0.1, "dense", **_text(7.5, va="bottom"))
    _box(axes, 12.85, MIDDLE_Y, 0.5, 0.5, "1", "#f6e3c5")
    _arrow(axes, (13.1, MIDDLE_Y), (13.85, MIDDLE_Y))
    axes.text(13.45, MIDDLE_Y + 0.1, "sigmoid", **_text(7.5, va="bottom"))
    axes.text(13.92, MIDDLE_Y, "probability\nof a genuine\npair", **_text(9, ha="left"))
    axes.text(
        12.6,
        MIDDLE_Y - 0.62,
        f"head: {numbers.head_weights / 1e6:.2f} million\nbinary cross-entropy on the logit",
        **_text(8, va="top"),
    )
    # The published scores leave the head out: they compare the pooled features.
    for y in (REFERENCE_Y, PROBE_Y):
        side = 0.85 if y > MIDDLE_Y else -0.85
        _arrow(axes, (8.5, y - side), (8.5, MIDDLE_Y + 0.33 * side / 0.85), TAP)
    _circle(axes, 8.5, MIDDLE_Y, 0.33, "L2", TAP)
    axes.text(
        8.05,
        MIDDLE_Y,
        "published score\n$1\\,/\\,(1+\\Vert a-b\\Vert_2)$",
        **_text(9, ha="right", color=TAP),
    )


def _stages(axes: Axes, y: float, numbers: Numbers) -> None:
    """Draw the stages of ResNet50: height for pixels, width for channels, each on a log scale."""
    x = 2.3
    for height, _, channels in numbers.stages:
        tall, wide = 0.32 * log2(height) - 0.45, 0.09 * log2(channels) - 0.2
        _box(axes, x + wide / 2, y, wide, tall, "", "#dbe7d8", SHARED)
        axes.text(x + wide / 2, y - 0.82, f"{height}²\n× {channels}", **_text(7, va="top"))
        if x > 2.3:
            _arrow(axes, (x - 0.3, y), (x, y))
        x += wide + 0.3
    _arrow(axes, (x - 0.3, y), (8.25, y))
    axes.text((x + 7.95) / 2, y + 0.12, "average pool", **_text(7.5, va="bottom"))


def _face(axes: Axes, x: float, y: float, masked: bool) -> None:
    frame = Rectangle((x - 0.8, y - 0.8), 1.6, 1.6, facecolor="black", edgecolor=LINE)
    axes.add_patch(frame)
    axes.add_patch(Ellipse((x, y), 1.0, 1.36, facecolor="#e3b58f", edgecolor="none"))
    for side in (-1, 1):
        axes.add_patch(Ellipse((x + 0.22 * side, y + 0.16), 0.16, 0.08, facecolor="white"))
        axes.add_patch(Ellipse((x + 0.22 * side, y + 0.16), 0.07, 0.07, facecolor=INK))
        axes.add_patch(Arc((x + 0.22 * side, y + 0.2), 0.3, 0.2, theta1=30, theta2=150, color=INK))
    if masked:
        outline = [
            (-0.49, 0.06),
            (0, 0.14),
            (0.49, 0.06),
            (0.36, -0.46),
            (0, -0.67),
            (-0.36, -0.46),
        ]
        points = [(x + dx, y + dy) for dx, dy in outline]
        axes.add_patch(Polygon(points, facecolor="white", edgecolor=LINE, lw=0.6))
    else:
        axes.plot([x, x - 0.07, x + 0.05], [y + 0.08, y - 0.16, y - 0.16], color="#8d5a3b", lw=1.2)
        axes.add_patch(Arc((x, y - 0.3), 0.4, 0.24, theta1=200, theta2=340, color="#8c2f39", lw=2))


def _text(size: float, ha: str = "center", va: str = "center", color: str = INK) -> dict:
    return {"fontsize": size, "ha": ha, "va": va, "color": color, "linespacing": 1.25}


def _box(
    axes: Axes,
    x: float,
    y: float,
    wide: float,
    tall: float,
    label: str,
    fill: str,
    edge: str = LINE,
) -> None:
    style = "round,pad=0,rounding_size=0.06"
    corner = (x - wide / 2, y - tall / 2)
    box = FancyBboxPatch(corner, wide, tall, boxstyle=style, facecolor=fill, edgecolor=edge)
    axes.add_patch(box)
    axes.text(x, y, label, **_text(9), rotation=90 if tall > 0.6 else 0)


def _circle(axes: Axes, x: float, y: float, radius: float, label: str, color: str = LINE) -> None:
    axes.add_patch(Circle((x, y), radius, facecolor="white", edgecolor=color, lw=1.2))
    axes.text(x, y, label, **_text(10))


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str = LINE
) -> None:
    shape = {"arrowstyle": "-|>", "color": color, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=shape)
