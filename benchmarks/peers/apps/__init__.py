"""The peers: each a program that listens on a port of this machine and answers `POST /augment` and `GET /`.

Both ways pictures are packed (`benchmarks.peers.frames`), one or many. What is done to them is `work.answered`, everywhere.
"""
