"""The reading room: the ledger explorer, replay, evidence. Every page of it that is read is an entry."""
