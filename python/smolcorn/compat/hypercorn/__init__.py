"""Parts of Hypercorn that tools serve by."""
