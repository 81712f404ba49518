"""How the generators learned: one panel per term of the bound, one line per diagnosis."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from cohortsmith.reporting.figures.style import COLOURS, new_figure, styled, to_png

TERMS = {
    "elbo": "evidence lower bound",
    "reconstruction": "reconstruction log-likelihood",
    "kl": "divergence from the prior",
}


def draw_training_curves(histories: Mapping[str, pd.DataFrame]) -> bytes:
    """Draw each label's history (epoch, elbo, reconstruction, kl: nats per image) as PNG."""
    with styled():
        figure = new_figure(10, 3)
        for axes, (term, title) in zip(figure.subplots(1, len(TERMS)), TERMS.items(), strict=True):
            for colour, (label, history) in zip(COLOURS, histories.items(), strict=False):
                axes.plot(history["epoch"], history[term], color=colour, linewidth=1.4, label=label)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            _leave_the_first_fall_out(axes, [history[term] for history in histories.values()])
        figure.axes[0].set_ylabel("nats per image")
        figure.axes[-1].legend()
        return to_png(figure)


def _leave_the_first_fall_out(axes: Axes, curves: list[pd.Series]) -> None:
    """Scale the axis to all but the first twentieth of the epochs, whose fall would hide the rest."""
    rest = pd.concat([curve.iloc[len(curve) // 20 :] for curve in curves]).dropna()
    if len(rest) and rest.max() > rest.min():
        margin = 0.05 * (rest.max() - rest.min())
        axes.set_ylim(rest.min() - margin, rest.max() + margin)
