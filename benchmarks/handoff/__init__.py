"""`augment bench handoff`: what lanes, RQ, leases and finishes cost an item, with nothing done to pixels."""
