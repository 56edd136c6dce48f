"""Accounts: who may call (keys, tokens), what they may do (scopes), and how the operator looks after them."""
