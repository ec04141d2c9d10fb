"""How it is typed and shown."""
