"""`augment bench service`: what a whole running system costs through REST, beside the same work in process."""
