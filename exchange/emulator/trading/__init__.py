"""The trading machine behind the venue's doors: accounts, orders, positions, margin, conditional orders. No socket."""
