"""The demo workspace: made-up people, agents and conversations of an invented bicycle shop, made by the product's own actions."""
