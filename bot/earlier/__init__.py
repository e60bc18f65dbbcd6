"""Earlier conversations and what people asked to be remembered: kept findable, and found again for those who may read
them. Knows SQL and an embedder, not Slack."""
