"""Stage 2, the parent's side of a trial: sessions with live workers, and the order of trials."""
