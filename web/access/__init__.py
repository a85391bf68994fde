"""Who may ask a node what: roles and scopes, passwords, sessions, tokens, and the API by which people sign in."""
