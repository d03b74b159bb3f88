"""Holds, reviews and the live queue."""
