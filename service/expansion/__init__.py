"""`augment expand`: a folder of pictures becomes a folder of variants, through the client, whatever is killed."""
