"""Figures from score files: ROC, DET, error rates against threshold, score histograms.

Each function returns a new matplotlib figure; metrics.py computes what it draws.
"""

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtri

from reproduction.figures import LINES, PALETTE
from verification import metrics

Scores = Mapping[str, tuple[np.ndarray, np.ndarray]]  # name: (impostor scores, genuine scores)
DET_TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)


def _legend_outside(axes, title: str) -> None:
    axes.legend(title=title, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)


def _label(name: str, eer: metrics.EqualErrorRate, remark: str = "") -> str:
    return f"{name} (EER {eer.eer:.3f}{remark})"


def _styled(scores: Mapping):
    """Yield name, values, colour and line of each curve; no two have the same colour and line."""
    most = len(PALETTE) * len(LINES)
    if len(scores) > most:
        raise ValueError(f"expected at most {most} curves to tell apart; got {len(scores)}")
    for at, (name, pair) in enumerate(scores.items()):
        line = LINES[(at + at // len(PALETTE)) % len(LINES)]
        yield name, pair, PALETTE[at % len(PALETTE)], line


def draw_roc(scores: Scores, title: str) -> Figure:
    """Draw ROC curves on a logarithmic FMR axis, with a dot at the EER of each.

    Args: scores by the name that the legend shows; title.
    Returns: the figure.
    """
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    # One impostor pair in the largest set is the smallest FMR that can be seen.
    smallest = 1 / max(negatives.size for negatives, _ in scores.values())
    for name, (negatives, positives), colour, line in _styled(scores):
        fmr, tmr = metrics.roc_points(negatives, positives)
        eer = metrics.equal_error_rate(negatives, positives)
        axes.step(
            np.maximum(fmr, smallest / 2),
            tmr,
            where="post",
            color=colour,
            linestyle=line,
            label=_label(name, eer),
        )
        axes.plot(max(eer.eer, smallest / 2), 1 - eer.eer, "o", color=colour, markersize=5)
    rates = np.geomspace(smallest / 2, 1, 200)
    axes.plot(rates, 1 - rates, color="0.6", linewidth=1)
    axes.annotate("FMR = FNMR", (0.5, 0.5), (0.17, 0.45), color="0.4", arrowprops=_ARROW)
    axes.set(
        xscale="log",
        xlim=(smallest / 2, 1),
        ylim=(0, 1.02),
        xlabel="False match rate (false positive rate)",
        ylabel="True match rate (true positive rate)",
        title=title,
    )
    axes.grid(True, color="0.9")
    _legend_outside(axes, "dots: equal error rate")
    return figure


_ARROW = {"arrowstyle": "-", "color": "0.6"}


def draw_det(scores: Scores, title: str) -> Figure:
    """Draw DET curves on normal-deviate axes, with a dot at the EER of each.

    Args: scores by the name that the legend shows; title.
    Returns: the figure. Scores that are separated completely have no curve, only a legend entry.
    """
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.add_subplot()
    low, high = DET_TICKS[0], DET_TICKS[-1]
    for name, (negatives, positives), colour, line in _styled(scores):
        fmr, fnmr = metrics.det_points(negatives, positives)
        eer = metrics.equal_error_rate(negatives, positives)
        within = (fmr > 0) & (fnmr > 0)
        label = _label(name, eer, "" if within.any() else ", no curve")
        axes.plot(
            ndtri(fmr[within]), ndtri(fnmr[within]), color=colour, linestyle=line, label=label
        )
        if eer.eer > 0:
            axes.plot(ndtri(eer.eer), ndtri(eer.eer), "o", color=colour, markersize=5)
    edge = ndtri([low, high])
    axes.plot(edge, edge, color="0.6", linewidth=1)
    ticks = ndtri(DET_TICKS)
    names = [f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}" for tick in DET_TICKS]
    axes.set(
        xlim=edge,
        ylim=edge,
        xticks=ticks,
        yticks=ticks,
        xticklabels=names,
        yticklabels=names,
        xlabel="False match rate (normal deviate)",
        ylabel="False non-match rate (normal deviate)",
        title=title,
        aspect="equal",
    )
    axes.grid(True, color="0.9")
    _legend_outside(axes, "dots: equal error rate")
    return figure


def draw_cmc(curves: Mapping[str, np.ndarray], title: str) -> Figure:
    """Draw cumulative match characteristics: the share of searches that succeed by each rank.

    Args: shares at ranks 1, 2, ... by the name that the legend shows, see
        identification.cumulative_match; title.
    Returns: the figure.
    """
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.add_subplot()
    for name, shares, colour, line in _styled(curves):
        ranks = np.arange(1, len(shares) + 1)
        label = f"{name} (rank 1 {shares[0]:.3f})"
        axes.plot(ranks, shares, color=colour, linestyle=line, marker=".", label=label)
    axes.set(xlabel="Rank", ylabel="Share of searches", title=title, ylim=(None, 1.01))
    axes.grid(True, color="0.9")
    _legend_outside(axes, "model, masks")
    return figure


def draw_error_rates(scores: Scores, title: str, logit: Collection[str] = ()) -> Figure:
    """Draw FMR (FAR) and FNMR (FRR) against the threshold, one panel per model, with its EER.

    Args: scores by the name above each panel; title; names of the panels with a logit axis, for
        scores that crowd at 0 and 1, as those of a sigmoid do.
    Returns: the figure.
    """
    figure = Figure(figsize=(3.6 * len(scores), 3.9), layout="constrained")
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, (name, (negatives, positives)) in zip(panels, scores.items(), strict=True):
        curves = metrics.error_curves(negatives, positives)
        eer = metrics.equal_error_rate(negatives, positives)
        fmr = axes.plot(curves.thresholds, curves.fmr, color=PALETTE[0], label="FMR (FAR)")
        fnmr = axes.plot(
            curves.thresholds, curves.fnmr, color=PALETTE[1], linestyle="--", label="FNMR (FRR)"
        )
        dot = axes.plot(eer.threshold, eer.eer, "o", color="black", label="equal error rate")
        axes.axvline(eer.threshold, color="0.7", linewidth=1, zorder=0)
        axes.set(
            xscale="logit" if name in logit else "linear",
            xlim=(1e-5, 1 - 1e-7) if name in logit else (0, 1),
            ylim=(0, 1.02),
            xlabel="Threshold on the similarity" + " (logit axis)" * (name in logit),
            title=f"{name}\nEER {eer.eer:.3f} at {eer.threshold:.6g}",
        )
        if name in logit:
            axes.set_xticks([1e-4, 0.01, 0.5, 0.99, 0.9999, 1 - 1e-6])
            axes.set_xticklabels(["0.0001", "0.01", "0.5", "0.99", "0.9999", "1−10⁻⁶"], fontsize=8)
            axes.minorticks_off()
        axes.grid(True, color="0.9")
    panels[0].set_ylabel("Error rate")
    figure.suptitle(title)
    figure.legend(handles=[*fmr, *fnmr, *dot], loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw_histograms(scores: Scores, title: str, bins: int = 40) -> Figure:
    """Draw histograms of impostor and genuine scores, one panel per name, with the EER's threshold.

    Args: scores by the name above each panel; title; number of bins over all scores.
    Returns: the figure.
    """
    columns = min(4, len(scores))
    lines = -(-len(scores) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.5 * lines + 0.6), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, squeeze=False).ravel()
    every = np.concatenate([part for pair in scores.values() for part in pair])
    edges = np.histogram_bin_edges(every, bins)
    for axes, (name, (negatives, positives)) in zip(panels, scores.items(), strict=False):
        eer = metrics.equal_error_rate(negatives, positives)
        handles = [
            axes.hist(
                part,
                edges,
                weights=np.full(part.size, 1 / part.size),
                histtype="stepfilled",
                alpha=0.55,
                facecolor=colour,
                edgecolor=colour,
                label=label,
            )[2][0]
            for part, colour, label in (
                (negatives, PALETTE[1], "impostor pairs"),
                (positives, PALETTE[0], "genuine pairs"),
            )
        ]
        line = axes.axvline(eer.threshold, color="black", linestyle="--", label="threshold of EER")
        axes.set_title(f"{name}\n{negatives.size} impostor, {positives.size} genuine", fontsize=9)
    for axes in panels[len(scores) :]:
        axes.axis("off")
    figure.supxlabel("Similarity")
    figure.supylabel("Share of the pairs")
    figure.suptitle(title)
    if len(scores) < panels.size:
        panels[-1].legend(handles=[*handles, line], loc="center", frameon=False)
    else:
        figure.legend(handles=[*handles, line], loc="outside lower center", ncols=3, frameon=False)
    return figure
