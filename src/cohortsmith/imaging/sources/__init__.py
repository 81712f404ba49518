"""Readers of NIfTI folders, BIDS datasets, folders of 2-D images, and DICOM."""

from cohortsmith.imaging.sources.content import hash_scan
from cohortsmith.imaging.sources.inventory import Converted, Inventory, Visit
from cohortsmith.imaging.sources.reader import convert_visit, has_labels, read_source

__all__ = ["Converted", "Inventory", "Visit", "convert_visit", "has_labels", "hash_scan", "read_source"]
