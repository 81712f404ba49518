"""Saved views of MLflow's user interface: what is filtered, grouped and drawn, opened by an address.

The interface reads them from tags of the experiment, as it does those that its own Share button makes; written for
MLflow 3.17, and passed over by versions that do not know them.
"""

import json
from typing import Any

from mlflow.entities import Experiment
from mlflow.tracking import MlflowClient

_TAG = "mlflow.sharedViewState."
_SETTING = ("training_set", "net", "arm", "n_synthetic")
_SCORES = ("test.balanced_accuracy", "external.balanced_accuracy")
_DRAWN = ("channels", "convolutions", "dense", "dropout", "learning_rate", "weight_decay")


def save_views(client: MlflowClient, experiment: Experiment) -> None:
    """Give the experiment every view that it lacks or has in another form."""
    for name, view in VIEWS.items():
        text = json.dumps(view)
        if experiment.tags.get(_TAG + name) != text:
            client.set_experiment_tag(experiment.experiment_id, _TAG + name, text)


def _chart(kind: str, name: str, **shown: Any) -> dict[str, Any]:
    fixed = {"runsCountToCompare": 100, "metricSectionId": "charts", "deleted": False, "isGenerated": False}
    return {"type": kind, "uuid": name, **fixed, **shown}


def _bars(metric: str) -> dict[str, Any]:
    return _chart("BAR", f"bars of {metric}", metricKey=metric)


def _scatter(parameter: str, metric: str) -> dict[str, Any]:
    axes = {"xaxis": {"key": parameter, "type": "PARAM"}, "yaxis": {"key": metric, "type": "METRIC"}}
    return _chart("SCATTER", f"{metric} over {parameter}", **axes)


def _lines(metric: str) -> dict[str, Any]:
    return _chart("LINE", f"curves of {metric}", metricKey=metric, selectedMetricKeys=[metric])


def _view(
    kind: str, title: str, columns: list[str], charts: list[dict[str, Any]], group: tuple[str, ...] = ()
) -> dict[str, Any]:
    grouped = [{"mode": "param", "groupByData": name} for name in group]
    return {
        "searchFilter": f"params.kind = '{kind}'",
        "orderByKey": columns[-1],  # sorted by date, the interface folds all children away below their parent
        "orderByAsc": False,
        "groupBy": {"aggregateFunction": "average", "groupByKeys": grouped} if grouped else None,
        "runsHiddenMode": "SHOWALL",
        "selectedColumns": columns,
        "compareRunCharts": charts,
        "compareRunSections": [{"uuid": "charts", "name": title, "display": True, "deleted": False}],
    }


def _columns(parameters: tuple[str, ...], metrics: tuple[str, ...]) -> list[str]:
    return [*(f"params.`{name}`" for name in parameters), *(f"metrics.`{name}`" for name in metrics)]


VIEWS: dict[str, dict[str, Any]] = {
    "arms": _view(
        "arm",
        "Means over all runs of an arm",
        _columns(_SETTING, ("external.minus_real", "test.minus_real", *reversed(_SCORES))),
        [*map(_bars, _SCORES), *(_scatter("n_synthetic", name) for name in _SCORES), _bars("test.minus_real")],
    ),
    "runs": _view(
        "classifier",
        "Single runs, grouped",
        _columns((*_SETTING, "seed"), ("test.auc", *reversed(_SCORES))),
        [*map(_bars, _SCORES), _lines("train.loss"), _lines("validation.balanced_accuracy")],
        group=_SETTING[:3],
    ),
    "search": _view(
        "random-search",
        "Architectures of the random search",
        _columns(("architecture", *_DRAWN), ("validation.balanced_accuracy",)),
        [
            _bars("validation.balanced_accuracy"),
            *(_scatter(name, "validation.balanced_accuracy") for name in ("learning_rate", "dropout")),
        ],
    ),
    "generators": _view(
        "generator",
        "Training of the generators",
        _columns(("label", "n_training", "latent_dim", "seed"), ("chain.acceptance", "train.elbo")),
        [_lines(f"train.{name}") for name in ("elbo", "reconstruction", "kl")],
    ),
}
