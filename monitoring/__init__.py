"""Signals, risk, and the figures of the posture page."""
