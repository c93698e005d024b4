"""The strict grammar and limits that stand before any driver. Pure: no I/O, no clock, no plugin."""
