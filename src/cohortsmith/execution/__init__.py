"""Many small independent jobs: on all cores of this machine or on Dask workers, with a progress bar and an ETA.

Jobs run in worker processes, one thread each: results depend neither on the number of workers nor on the engine. A job
that takes its worker down (ANTs aborting, memory running out) is tried again alone, and then costs only itself.
"""

from cohortsmith.execution.items import Outcome, run_items
from cohortsmith.execution.ordering import after
from cohortsmith.execution.progress import progress
from cohortsmith.execution.resources import available_cores, available_memory_gb, workers_that_fit

__all__ = ["Outcome", "after", "available_cores", "available_memory_gb", "progress", "run_items", "workers_that_fit"]
