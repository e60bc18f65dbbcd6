"""A git repository as a source: see `source` for what is read, `fetch` for how a remote one comes here."""
