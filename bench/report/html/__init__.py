"""One file in which a run can be looked at: no other file, no request, and readable without JavaScript."""
