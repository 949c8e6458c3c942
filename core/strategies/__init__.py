"""One trading idea per file; a strategy sees a view and returns intents."""
