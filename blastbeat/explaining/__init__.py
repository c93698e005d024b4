"""`blastbeat explain`: what would serve a request, and why, from the configuration alone.

Uses the server's own parts (gate, host table, routes, forwarding, filters), so that it says what the server
does; runs none of it, binds nothing and asks nobody.
"""
