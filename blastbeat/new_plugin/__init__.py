"""`blastbeat new-plugin`: a distribution of a plugin's own, complete from the first minute.

`naming` says what may be its name, `writing` fills the templates in and writes them. The templates, in
`templates/`, are data: `common` for all kinds, and a folder for each kind.
"""

from __future__ import annotations

from blastbeat.new_plugin.naming import KINDS, Names, derive_names
from blastbeat.new_plugin.writing import write_distribution

__all__ = ["KINDS", "Names", "derive_names", "write_distribution"]
