"""What brings events in beside HTTP, one package for each kind of server."""
