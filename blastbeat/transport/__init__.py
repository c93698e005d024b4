"""The only code that touches sockets, ZeroMQ and the clock."""
