"""What draws values of events and people: the only modules that write HTML into the page."""
