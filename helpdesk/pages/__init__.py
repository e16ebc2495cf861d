"""What pages about helpdesks show where reading it is more than a query. No more queries however many rows."""
