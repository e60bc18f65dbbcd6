"""The assistant: talks with people in Slack, remembers conversations, wires everything together."""
