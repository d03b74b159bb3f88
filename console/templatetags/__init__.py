"""What templates need that Django does not have."""
