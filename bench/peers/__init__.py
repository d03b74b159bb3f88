"""A Django app whose rows the libraries that keep histories keep histories of, for bench/ledger.py."""
