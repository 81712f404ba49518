"""How Kedro finds this project's configuration and hooks."""

import os
import warnings
from pathlib import Path

from kedro.config import OmegaConfigLoader

from cohortsmith.hooks import RunParameters, TrackRuns

# Kedro 1.7 calls a function that OmegaConf 2.4 has renamed, and dislikes names like role.dataset, which are its own.
warnings.filterwarnings("ignore", message="register_new_resolver")
warnings.filterwarnings("ignore", message="One or more dataset names contain '.' characters")

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("COHORTSMITH_HOME") or ROOT)  # where data/ and mlruns/ are written


def shared_data_folder() -> str:
    """Say where real scans lie that are no part of the repository: COHORTSMITH_SHARED or ../shared beside it."""
    return os.environ.get("COHORTSMITH_SHARED") or str(ROOT.parent / "shared")


CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**"]},
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
    "custom_resolvers": {
        "root": lambda: str(ROOT),
        "home": lambda: str(HOME),
        "shared": shared_data_folder,
        "study": RunParameters.study_name,
        "space": RunParameters.space,
    },
}
HOOKS = (RunParameters(), TrackRuns(HOME))
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz")
