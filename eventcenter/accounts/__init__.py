"""Accounts: tenants, buses, users, tokens, sign-in, and the audit that people read."""

from eventcenter.accounts.service import Accounts

__all__ = ["Accounts"]
