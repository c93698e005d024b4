"""The commands, a module each with `run(options) -> exit code`; loaded by `cli` when chosen."""
