"""`augment replay`: the results of a manifest made again, through the service or here, and compared."""
