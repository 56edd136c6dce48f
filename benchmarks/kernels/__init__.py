"""The CPU kernels beside what they are to beat: `python -m benchmarks.kernels`, or `augment bench kernels`."""
