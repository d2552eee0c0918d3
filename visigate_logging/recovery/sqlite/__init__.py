"""What the SQLite steps do with database files; runs in the child process alone.

In one process, closing a database file that was opened by other means drops SQLite's POSIX locks on it
(https://www.sqlite.org/howtocorrupt.html, 2.2). So nothing here may run in a process of the application, and no file
of a database is opened here while a connection to it is open, unless its descriptor stays open to the process's end.
"""
