"""Benchmarks: ratios of times measured side by side; none of them is a test."""
