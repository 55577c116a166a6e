"""What the server does when things go wrong around it."""
