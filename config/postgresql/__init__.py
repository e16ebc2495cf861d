"""Django's PostgreSQL backend, for servers that are restarted while Touchline runs."""
