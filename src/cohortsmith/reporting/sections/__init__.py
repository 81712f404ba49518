"""One section of the report per file: from content to blocks, always something to read."""
