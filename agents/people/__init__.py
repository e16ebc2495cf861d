"""The people of a workspace: who is in it, who is asked in, how they sign in and are written to."""
