"""Enlarge a small cohort of brain MRI with synthetic scans, and prove whether they help.

Importing the package switches off every usage report of the libraries below it, before they are imported:
no data about a hospital's runs leaves its machine.
"""

import os

__version__ = "0.1.0"

for _name, _value in {
    "DO_NOT_TRACK": "true",  # the one spelling that both Kedro and MLflow obey ("1" silences only Kedro)
    "KEDRO_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}.items():
    os.environ[_name] = _value

# Large tensors lie in huge pages (Linux; before PyTorch makes its first one): without them, much of a training step
# on a processor is the system handing out small pages.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
