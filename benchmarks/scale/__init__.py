"""`augment bench scale`: what an item costs each part of the service, and which is full first as workers are added."""
