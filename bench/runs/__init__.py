"""What a run leaves behind: fits by name, predictions, the ledger, and the record of how its tables were made."""
