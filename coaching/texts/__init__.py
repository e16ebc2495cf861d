"""What can be told of texts: how two differ and are put together, what one holds that it should not. Pure."""
