"""Vehicles, their permits, and who has passed."""

import logging
import os
import sqlite3
from contextlib import closing

logger = logging.getLogger("VisiGate.database")

SCHEMA = """
CREATE TABLE IF NOT EXISTS vehicles (plate TEXT PRIMARY KEY, owner TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS api_keys (name TEXT PRIMARY KEY, used INTEGER NOT NULL DEFAULT 0);
"""


class Database:
    """SQLite, opened for each question."""

    def __init__(self, config):
        self.path = config["path"]
        self.timeout = config.get("timeout", 5)
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        with closing(self.connect()) as connection:
            connection.executescript(SCHEMA)

    def connect(self, mode="rwc"):
        return sqlite3.connect(f"file:{self.path}?mode={mode}", timeout=self.timeout, uri=True)

    def get_vehicle(self, plate):
        try:
            with closing(self.connect()) as connection:
                return connection.execute("SELECT plate, owner FROM vehicles WHERE plate = ?", (plate,)).fetchone()
        except Exception as e:
            logger.error(f"Error getting vehicle {plate}: {e}")
            return None

    def add_vehicle(self, plate, owner):
        try:
            with closing(self.connect()) as connection, connection:
                connection.execute("INSERT INTO vehicles VALUES (?, ?)", (plate, owner))
            return True
        except Exception as e:
            logger.error(f"Error adding vehicle {plate}: {e}")
            return False

    def get_statistics(self):
        try:
            with closing(self.connect()) as connection:
                return connection.execute("SELECT day, count(*) FROM access_log GROUP BY day").fetchall()
        except Exception as e:
            logger.error(f"Error getting statistics: {e}")
            return []

    def validate_api_key(self, name):
        try:
            with closing(self.connect("ro")) as connection, connection:
                connection.execute("UPDATE api_keys SET used = used + 1 WHERE name = ?", (name,))
            return True
        except Exception as e:
            logger.error(f"Error validating API key: {e}")
            return False
