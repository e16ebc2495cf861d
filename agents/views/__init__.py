"""The pages about people: how they come in, who is here, what is their own."""
