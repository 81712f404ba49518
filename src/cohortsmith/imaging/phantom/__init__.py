"""A phantom study with known anatomy: what to run, test and demonstrate the chain on without anybody's scans."""

from cohortsmith.imaging.phantom.cohort import Study, draw_cohort
from cohortsmith.imaging.phantom.scan import PhantomScan, PhantomTruth, make_scan, truth_table
from cohortsmith.imaging.phantom.ventricles import ventricle_map, ventricle_volume

__all__ = [
    "PhantomScan",
    "PhantomTruth",
    "Study",
    "draw_cohort",
    "make_scan",
    "truth_table",
    "ventricle_map",
    "ventricle_volume",
]
