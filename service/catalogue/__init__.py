"""The catalogue of operations as people see it: facts, pictures, `augment ops` and `augment recipe`."""
