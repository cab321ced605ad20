"""The document wing: the XML of an APT proposal, and nothing of optics."""
