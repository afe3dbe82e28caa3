"""Who may do what: callers, API keys, user tokens, request rates. Knows nothing of HTTP but its words.

Import from the modules: `caller`, `keys`, `key_file`, `tokens`, `jwks`, `credentials`, `rate`, `address`.
"""
