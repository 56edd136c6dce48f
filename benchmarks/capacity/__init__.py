"""`augment bench capacity`: how many workers, API processes, bytes and rows a job needs, and what is full first."""
