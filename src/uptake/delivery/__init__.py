"""Sends what was accepted to other servers, from the outbox.

An item's entry in the outbox is written in the transaction that stores the item, and deleted when
the receiver has answered. So every accepted item is sent at least once.
"""
