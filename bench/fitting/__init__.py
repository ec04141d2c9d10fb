"""Many fits as units named by content: planned, scheduled, stored in the ledger."""
