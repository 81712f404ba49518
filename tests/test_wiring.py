"""The pipelines, the catalog and the parameters fit together, for every environment."""

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from cohortsmith.hooks import RunParameters
from cohortsmith.pipeline_registry import register_pipelines

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ["base", "smoke", "oasis", "bids", "dicom"]
MEMORY_ONLY = (
    ".inventory",
    ".ingest_plan",
    ".scan_decisions",
    ".preparation_plan",
    "tracked_runs",
    "tracked_metrics",
    "networks",
    "_sources",
    "_jobs",
    "_seed",
    "_parameters",
    "questions",
    "current_runs",
    ".report_part",
)


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def catalog_and_pipelines(request, tmp_path_factory):
    """The catalog and the pipelines of an environment; example data need not be there."""
    tmp_path, monkeypatch = tmp_path_factory.mktemp("shared"), pytest.MonkeyPatch()
    monkeypatch.setenv("COHORTSMITH_SHARED", str(tmp_path))
    for path in ("data/oasis1_axial", "data/ds002748", "data/dicom_t1w.tar.xz"):
        (tmp_path / path).mkdir(parents=True)
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=request.param) as session:
        catalog = session.load_context().catalog
        yield catalog, register_pipelines()
    RunParameters.config = None
    monkeypatch.undo()


def test_every_dataset_is_declared(catalog_and_pipelines):
    catalog, pipelines = catalog_and_pipelines
    memory = {
        name
        for name in pipelines["__default__"].all_outputs()
        if name.endswith(MEMORY_ONLY) or name.startswith("report.")
    }
    used = {name for name in pipelines["__default__"].datasets() if not name.startswith("param")}

    assert {name for name in used - memory if name not in catalog} == set()


def test_what_the_report_gathers_stays_in_memory(catalog_and_pipelines):
    catalog, pipelines = catalog_and_pipelines
    gathered = {name for name in pipelines["__default__"].all_outputs() if name.startswith("report.")}

    assert {name for name in gathered if name in catalog} == set()


def test_every_parameter_exists(catalog_and_pipelines):
    catalog, pipelines = catalog_and_pipelines
    used = {name for name in pipelines["__default__"].datasets() if name.startswith("params:")}

    assert used
    assert {name for name in used if name not in catalog} == set()


def test_every_free_input_is_optional_or_written_elsewhere(catalog_and_pipelines):
    _, pipelines = catalog_and_pipelines
    free = {name for name in pipelines["__default__"].inputs() if not name.startswith("param")}

    assert {name for name in free if not name.endswith(("_done", "_files", ".decisions"))} <= {"timings", "run_facts"}


def test_the_whole_run_is_the_sum_of_the_stages(catalog_and_pipelines):
    _, pipelines = catalog_and_pipelines
    whole = {node.name for node in pipelines["__default__"].nodes}

    assert {node.name for name in pipelines for node in pipelines[name].nodes} - whole <= {"show_interim"}
    assert {node.name for name in set(pipelines) - {"__default__"} for node in pipelines[name].nodes} >= whole


def test_classifiers_that_need_no_synthetic_scans_come_before_generators(catalog_and_pipelines):
    _, pipelines = catalog_and_pipelines
    order = [node.name for node in pipelines["__default__"].nodes]
    if "judge" not in pipelines:
        assert not [name for name in order if "classifier" in name]
        return
    generators = [name for name in order if "generator" in name and "fit" in name]

    assert len(generators) == 3
    assert order.index("note_early_classifier_plan") < order.index("train_early_classifiers")
    assert order.index("note_classifier_plan") < order.index("train_classifiers")
    assert order.index("train_early_classifiers") < min(map(order.index, generators))
    assert max(map(order.index, generators)) < order.index("train_classifiers")


def test_base_and_environments_agree_on_the_keys():
    """A destructive merge would lose a whole block when an environment overrides one of its keys."""
    loader = OmegaConfigLoader(
        str(ROOT / "conf"),
        env="smoke",
        base_env="base",
        default_run_env="local",
        merge_strategy={"parameters": "soft"},
        custom_resolvers={"home": str, "root": str, "shared": str, "study": str},
    )

    assert loader["parameters"]["generator"]["latent_dim"] == 2
    assert loader["parameters"]["preparation"]["registration"]["template_resolution"] == 4.0
