"""Sending: in order for each user, as many requests at a time as the receiver bears."""
