"""`augment bench peers`: the same pictures through this service and through others, and what each service costs."""
