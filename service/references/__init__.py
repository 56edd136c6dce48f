"""Pictures that are named by an address: which addresses may be asked, the fetching, and its place in the database."""
