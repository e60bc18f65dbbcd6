"""What the team knows: documents, their chunks and vectors, and how passages are found for an audience."""
