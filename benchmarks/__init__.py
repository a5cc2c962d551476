"""Speed and memory, measured: ``python -m benchmarks NAME``; see docs/explanation/performance.md."""
