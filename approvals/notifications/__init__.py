"""What people must know: made from the ledger's entries, shown on a page, mailed. Nobody calls it."""
