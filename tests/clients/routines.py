#!/usr/bin/env python3
"""Makes the stored routines of the fleet in a database of a server, past Tidegate, which has no
route for that. The environment names the server (SERVER_URL) and the database (DATABASE). On SQLite
named statements of the settings stand in their place."""

import os
from urllib.parse import unquote, urlsplit

import pymysql

ROUTINES = [
    """
    CREATE FUNCTION greeting(name VARCHAR(60)) RETURNS VARCHAR(70) DETERMINISTIC NO SQL
    RETURN CONCAT('Ahoy, ', name)
    """,
    """
    CREATE PROCEDURE ships_of(owner INT) READS SQL DATA
    SELECT id, name, tonnage FROM ships WHERE owner_id = owner ORDER BY id
    """,
    """
    CREATE PROCEDURE retire(ship INT) MODIFIES SQL DATA
    UPDATE ships SET active = FALSE WHERE id = ship
    """,
]


def main():
    server = urlsplit(os.environ["SERVER_URL"])
    connection = pymysql.connect(
        host=server.hostname,
        port=server.port or 3306,
        user=unquote(server.username or ""),
        password=unquote(server.password or ""),
        database=os.environ["DATABASE"],
        charset="utf8mb4",
    )
    with connection, connection.cursor() as cursor:
        for routine in ROUTINES:
            cursor.execute(routine)


main()
