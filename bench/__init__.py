"""The measurements and samples behind the documentation, taken from the project's own code."""
