"""Real PostgreSQL and Valkey from Python wheels, as direct children on private unix sockets.

Everything lives in the folder that is given: databases, sockets, logs. Only where that folder's path is too long
for a socket (107 bytes), the sockets go to a folder of our own, mode 0700, in the system's temporary folder.
"""

from service.system.embedded.folder import EmbeddedError, exclusive, remove_socket_folder
from service.system.embedded.postgres import (
    create_database,
    embedded_database,
    postgres_programs,
    postgres_server,
    usable_identity,
)
from service.system.embedded.server import Server
from service.system.embedded.valkey import valkey_program, valkey_server

__all__ = [
    "EmbeddedError",
    "Server",
    "create_database",
    "embedded_database",
    "exclusive",
    "postgres_programs",
    "postgres_server",
    "remove_socket_folder",
    "usable_identity",
    "valkey_program",
    "valkey_server",
]
