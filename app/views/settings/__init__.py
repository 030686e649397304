"""Settings, one module for each section; `page` chooses among them."""
