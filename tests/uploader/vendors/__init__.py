"""The rules of the four vendors, implemented from their documents without code of Uptake."""
