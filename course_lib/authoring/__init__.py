"""For authors: notebooks from their sources, solved editions, releases, assets."""
