"""Observers that help to find faults: where a NaN was born, and what the graph keeps in memory."""
