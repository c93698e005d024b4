"""Looking at a running server: its status as plain values, what is made of it, and who serves that.

Counts nothing and decides nothing; whatever is shown is read where it is kept.
"""
