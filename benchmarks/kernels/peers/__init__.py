"""Peers: other libraries that change pictures, each operation as one writes it with them. None is ever a dependency."""
