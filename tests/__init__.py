"""The tests, in the folders of what they test; ``table`` drives most of those of ops."""
