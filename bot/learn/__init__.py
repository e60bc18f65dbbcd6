"""LEARN: from what people thought of answers to a version of the language model that is better, and known to be."""
