"""GitHub as a source: see `source` for what is read, `api` for how it is asked."""
