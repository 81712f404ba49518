"""One drawing per file: plain data in, PNG bytes out, no global state."""
