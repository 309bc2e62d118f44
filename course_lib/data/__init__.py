"""Data sets: radiance-field scenes, single-view reconstruction."""
