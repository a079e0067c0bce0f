"""Pages: HTML that needs nothing but its own file. `base.html.j2` is the frame of every page, with listings in it."""
