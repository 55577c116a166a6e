"""The wire contract over HTTP, sentence by sentence."""
