"""Measures the assistant on data sets, through the same code that answers people."""
