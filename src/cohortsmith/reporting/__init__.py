"""The report, the quality page and the figures: pure functions from plain data to HTML, PNG and text."""
