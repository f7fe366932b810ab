"""Charts of the web page, as specifications for plotly.js: DET curves and error rates.

Colours and lines are those of reproduction/figures.py but for black, which a dark page would hide;
axes and texts take the page's colours when it is opened.
"""

import html
import textwrap
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from reproduction.det_files import Curve, Points
from reproduction.report_tables import Intervals

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = {
    **{"circle": "●", "square": "■", "diamond": "◆"},
    **{"triangle-up": "▲", "cross": "✚", "x": "✖"},
}
"""plotly's symbols, and the letters that show them in a legend."""
DET_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.4, 0.6)


class Entry(NamedTuple):
    """A line of a chart's legend, whose trace is at the same index: a dashed line, or a letter."""

    name: str
    colour: str
    dash: str
    empty: bool
    letter: str = ""


class Chart(NamedTuple):
    """A chart: plotly's figure as JSON, its legend, what it shows, and its height in pixels.

    Height 0 is that of a square.
    """

    json: str
    legend: list[Entry]
    caption: str
    height: int = 0


def _styles(models: Sequence[str], conditions: Sequence[str]) -> list[tuple[int, int]]:
    """Return a colour and a dash for each curve: by model and condition where there are enough."""
    rows, columns = list(dict.fromkeys(models)), list(dict.fromkeys(conditions))
    colours, dashes = len(COLOURS), len(DASHES)
    if 1 < len(rows) <= colours and 1 < len(columns) <= dashes:
        return [(rows.index(m), columns.index(c)) for m, c in zip(models, conditions, strict=True)]
    return [(at % colours, (at + at // colours) % dashes) for at in range(len(models))]


def _figure(traces: list, **layout):
    from plotly import graph_objects as plotly

    transparent = "rgba(0,0,0,0)"
    return plotly.Figure(
        traces,
        {
            "template": "none",
            "paper_bgcolor": transparent,
            "plot_bgcolor": transparent,
            "showlegend": False,
            "margin": {"l": 56, "r": 12, "t": 12, "b": 48},
            "hovermode": "closest",
            "dragmode": False,
            **layout,
        },
    )


def _label(name: str, width: int | None = None) -> str:
    """Return a name for plotly, which reads tags in it; in lines of `width` characters."""
    return "<br>".join(html.escape(line) for line in textwrap.wrap(name, width or len(name) + 1))


def _percent(rate: float) -> str:
    return f"{100 * rate:.4g} %"


def det_chart(curves: Mapping[Curve, Points]) -> Chart:
    """Return DET curves on normal-deviate axes.

    Args:
        curves: FMR and FNMR by model and condition; points where a rate is 0 or 1 are left out.
    """
    deviate = NormalDist().inv_cdf
    styles = _styles([curve.model for curve in curves], [curve.condition for curve in curves])
    traces, legend, smallest = [], [], DET_TICKS[1]
    for (curve, points), (colour, dash) in zip(curves.items(), styles, strict=True):
        within = [rates for rates in zip(*points, strict=True) if 0 < min(rates) <= max(rates) < 1]
        smallest = min([smallest, *map(min, within)])
        name = f"{curve.model}, {curve.condition}"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines" if len(within) > 1 else "markers",
                "name": _label(name),
                "x": [deviate(fmr) for fmr, _ in within],
                "y": [deviate(fnmr) for _, fnmr in within],
                "text": [f"FMR {_percent(a)}<br>FNMR {_percent(b)}" for a, b in within],
                "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
                "line": {"color": COLOURS[colour], "dash": DASHES[dash], "width": 2},
            }
        )
        legend.append(Entry(name, COLOURS[colour], DASHES[dash], not within))
    ticks = [tick for tick in DET_TICKS if tick >= smallest / 2]
    ends = [deviate(max(smallest, 1e-6)) - 0.1, deviate(ticks[-1])]
    axis = {
        "tickvals": [deviate(tick) for tick in ticks],
        "ticktext": [f"{100 * tick:g}" for tick in ticks],
        "tickangle": 0,
        "range": ends,
        "zeroline": False,
    }
    diagonal = {"type": "line", "x0": ends[0], "y0": ends[0], "x1": ends[1], "y1": ends[1]}
    figure = _figure(
        traces,
        xaxis={**axis, "title": {"text": "False match rate (%)"}},
        yaxis={**axis, "title": {"text": "False non-match rate (%)"}},
        shapes=[{**diagonal, "line": {"color": "#888", "width": 1}, "layer": "below"}],
    )
    caption = "DET curves on normal-deviate axes; on the diagonal both rates are equal."
    return Chart(figure.to_json(), legend, caption)


def interval_chart(found: Intervals) -> Chart:
    """Return equal error rates with their 95 % intervals, conditions below each other."""
    traces, legend = [], []
    for at, model in enumerate(found.models):
        colour = COLOURS[at % len(COLOURS)]
        symbol = list(SYMBOLS)[(at + at // len(COLOURS)) % len(SYMBOLS)]
        shown = [name for name in found.conditions if (model, name) in found.rates]
        rates = [found.rates[model, name] for name in shown]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "orientation": "h",
                "name": _label(model),
                "y": [_label(name) for name in shown],
                "x": [rate for rate, _, _ in rates],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [high - rate for rate, _, high in rates],
                    "arrayminus": [rate - low for rate, low, _ in rates],
                    "thickness": 1.5,
                    "width": 3,
                },
                "marker": {"color": colour, "symbol": symbol, "size": 8},
                "text": [f"EER {rate:.4f} [{low:.4f}, {high:.4f}]" for rate, low, high in rates],
                "hovertemplate": "%{text}<br>%{y}<extra>%{fullData.name}</extra>",
            }
        )
        legend.append(Entry(model, colour, "solid", False, SYMBOLS[symbol]))
    figure = _figure(
        traces,
        scattermode="group",
        scattergap=0.25,
        xaxis={"title": {"text": "Equal error rate"}, "rangemode": "tozero", "zeroline": False},
        yaxis={
            "automargin": True,
            "autorange": "reversed",
            "tickvals": [_label(name) for name in found.conditions],
            "ticktext": [_label(name, 16) for name in found.conditions],
        },
    )
    height = 110 + 14 * len(found.models) * len(found.conditions) + 8 * len(found.conditions)
    caption = "Equal error rates of the exact protocol with 95 % intervals, by condition."
    return Chart(figure.to_json(), legend, caption, height)
