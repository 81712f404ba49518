from .pipeline import create_interim as create_interim
from .pipeline import create_pipeline as create_pipeline
