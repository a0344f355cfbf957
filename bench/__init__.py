"""Benchmarks: run on the project's own code, never as tests. `make bench` writes what they find into docs/."""
