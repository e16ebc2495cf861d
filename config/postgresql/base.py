"""As Django's own, but for what waits in the pool while the server restarts."""

from django.db.backends.postgresql import base
from psycopg import OperationalError
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Gives no connection that the server has closed.

    Where one is closed, those that wait beside it are too: all are exchanged at once. The pool's own check takes them one by one
    and rests a second, two, four in between, so that a restart would cost as many pages as connections.
    """

    def get_new_connection(self, conn_params):
        given = super().get_new_connection(conn_params)
        if self.pool is None:  # while a database is made, as the tests do
            return given
        try:
            ConnectionPool.check_connection(given)
        except OperationalError:
            self.pool.putconn(given)
            self.pool.check()
            return super().get_new_connection(conn_params)
        return given
