"""The JavaScript modules, run in Chromium against the vectors that the Python code passes."""
