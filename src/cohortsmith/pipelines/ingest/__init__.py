from .pipeline import create_dry_run as create_dry_run
from .pipeline import create_pipeline as create_pipeline
