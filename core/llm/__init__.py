"""Models behind the ports `ModelProvider`, `Tokens` and `Prices`: any OpenAI-compatible address, and a
scripted stand-in that needs none. Importing this package imports no vendor library; `models.Models` does
that later, beside the event loop."""
