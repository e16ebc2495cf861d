"""The Django admin as this product's back office: a door like the others, so it holds no rules and calls the same actions."""
