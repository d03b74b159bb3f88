"""People and groups by page and API: they join accounts with what people own and review."""
