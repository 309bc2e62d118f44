"""Neural radiance fields."""
