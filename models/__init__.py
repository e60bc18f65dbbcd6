"""Language models: how text is generated on this machine. Code only; weights live in the data folder."""
