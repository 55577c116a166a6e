"""The rules of the four vendors, each read from its document alone: nothing here is Uptake's."""
