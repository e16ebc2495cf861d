"""Work that waits on a helpdesk: reading ratings, following webhooks, trying a connection. No transaction is open meanwhile."""
