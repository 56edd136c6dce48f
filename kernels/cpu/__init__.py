"""The CPU backend: pixel operations and coordinate chains compiled once by numba, run as data, tile by tile.

`available` says whether this machine may use it, `warm` makes it ready, `computed` runs a plan on a picture. Importing
it costs nothing: numba and the kernels are loaded by the first picture, or by `warm`.
"""
